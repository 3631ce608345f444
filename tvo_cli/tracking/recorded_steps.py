"""The steps that the flight recorder of a run has kept, found without torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tvo_cli.errors import UserError

FOLDER = "recorder"


def recorded_steps(run: Path) -> list[int]:
    """Return the steps that the flight recorder kept, in order."""
    names = (re.fullmatch(r"step-(\d+)", path.name) for path in (run / FOLDER).glob("step-*"))
    return sorted(int(name[1]) for name in names if name)


def check_step_is_recorded(run: Path, step: int, held: Sequence[int]) -> None:
    """Refuse a step that is not among the recorded ones, `held`.

    Raises:
        UserError: it is not; those that are, are named.
    """
    if step not in held:
        shown = f"Recorded steps: {', '.join(map(str, held))}." if held else "Nothing is recorded there."
        remedy = f"{shown} To ask for one: recorder.steps=[{step}]."
        raise UserError("--step", step, f"is not recorded in {run}.", remedy)
