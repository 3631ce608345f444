"""The files of a checkpoint's parts: what their names say, and sets that are not whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tvo_cli.checkpoint.shard_files import files_by_part, split_shard_file
from tvo_cli.errors import UserError


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["a-00001-of-00003", "a-00003-of-00003"], "a-00002-of-00003.safetensors is missing"),
        (["a-00001-of-00002"], "a-00002-of-00002.safetensors is missing"),
        (["a-00001-of-00001", "a-00002-of-00002"], "a-00002-of-00002.safetensors belongs to another set"),
        (["a", "a-00001-of-00001"], "another set"),
        (["a-00001-of-00001", "a-00002-of-00001"], "a-00002-of-00001.safetensors belongs to another set"),
        (["a-00000-of-00001"], "another set"),
    ],
)
def test_files_of_no_whole_set_are_refused(tmp_path: Path, names: list[str], problem: str) -> None:
    for name in names:
        save_file({"m": torch.ones(2)}, tmp_path / f"{name}.safetensors")
    with pytest.raises(UserError, match=problem):
        files_by_part(tmp_path)


def test_a_part_may_be_named_like_a_number() -> None:
    assert split_shard_file("optimizer") == ("optimizer", 0, 0)
    assert split_shard_file("critic_optimizer-00003-of-00008") == ("critic_optimizer", 3, 8)
    assert split_shard_file("part-1-of-2") == ("part-1-of-2", 0, 0)
