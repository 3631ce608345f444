"""The command that a folder belongs to, and the refusal of any other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tvo_cli.errors import UserError
from tvo_cli.tracking.command_of_folder import check_folder_is_of_command, commands_of_folder


def fill(folder: Path, *names: str, state: str = "") -> Path:
    """A folder with these files, and a state.json of a command."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    if state:
        (folder / "state.json").write_text(json.dumps({"state": "finished", "command": state}))
    return folder


@pytest.mark.parametrize(
    ("files", "state", "command"),
    [
        (("config.yaml", "metrics.jsonl"), "train", "train"),
        (("config.yaml", "metrics.jsonl"), "", "train"),
        (("checkpoints/experiment.json",), "", "train"),
        (("metrics.jsonl", "resume/experiment.json"), "", "sft"),
        (("sft.json", "metrics.jsonl"), "sft", "sft"),
        (("config.yaml", "evaluation.json"), "", "eval"),
        (("variance.json", "config.yaml"), "", "variance"),
        (("run.log",), "variance", "variance"),
    ],
)
def test_what_a_command_wrote_is_its_own(tmp_path: Path, files: tuple[str, ...], state: str, command: str) -> None:
    folder = fill(tmp_path, *files, state=state)
    check_folder_is_of_command(folder, command)
    for other in {"train", "sft", "eval", "variance"} - {command}:
        with pytest.raises(UserError, match=f"holds what `tvo {command}` wrote"):
            check_folder_is_of_command(folder, other)


@pytest.mark.parametrize("files", [(), ("notes.txt",), ("config.json", "model.safetensors"), ("config.yaml",)])
def test_a_folder_of_nobody_takes_any_command(tmp_path: Path, files: tuple[str, ...]) -> None:
    assert commands_of_folder(fill(tmp_path, *files, state="tvo train seed=1")) == set()
    check_folder_is_of_command(tmp_path, "eval")


def test_a_folder_in_which_another_command_wrote_earlier_still_goes_on(tmp_path: Path) -> None:
    """Earlier versions let an evaluation write into the folder of a training, whose state.json it took over."""
    folder = fill(tmp_path, "checkpoints/experiment.json", "evaluation.json", state="eval")
    check_folder_is_of_command(folder, "train")
    check_folder_is_of_command(folder, "eval")
    with pytest.raises(UserError, match="holds what `tvo eval` wrote"):
        check_folder_is_of_command(folder, "sft")
