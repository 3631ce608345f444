"""Which rooms a config may build from: a new room is closed until it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvo_cli.config import instantiation
from tvo_cli.errors import UserError

ROOMS = sorted(
    path.name for path in Path(instantiation.__file__).parents[1].iterdir() if (path / "__init__.py").is_file()
)


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in instantiation.BUILDABLE_ROOMS])
def test_every_other_room_is_refused_by_name(room: str) -> None:
    with pytest.raises(UserError, match="refused before anything was built"):
        instantiation.check_target_name("_target_", f"tvo_cli.{room}.anything")


def test_the_rooms_of_conf_are_open() -> None:
    for room in instantiation.BUILDABLE_ROOMS:
        instantiation.check_target_name("_target_", f"tvo_cli.{room}.anything")
