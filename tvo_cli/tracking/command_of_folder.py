"""The command that a folder belongs to: two commands in one folder would write over each other's files."""

from __future__ import annotations

from pathlib import Path

from tvo_cli.errors import UserError
from tvo_cli.tracking import run_status

COMMANDS = ("train", "sft", "eval", "variance")
FILES = {  # of a command alone; of a folder from before state.json named it, or after another one has written there
    "checkpoints/experiment.json": "train",
    "resume/experiment.json": "sft",
    "sft.json": "sft",
    "evaluation.json": "eval",
    "variance.json": "variance",
}
OF_A_TRAINING = ("config.yaml", "metrics.jsonl")  # both, where nothing else tells


def commands_of_folder(folder: Path) -> set[str]:
    """The commands that have left something in a folder, by its state.json and its files; empty for none of ours."""
    found = {command for name, command in FILES.items() if (folder / name).is_file()}
    found |= {str(run_status.read_status(folder).get("command"))} & set(COMMANDS)
    if not found and all((folder / name).is_file() for name in OF_A_TRAINING):
        return {"train"}
    return found


def check_folder_is_of_command(folder: Path, command: str) -> None:
    """Refuse a folder that belongs to other commands.

    Raises:
        UserError: names the folder, and the command whose run it holds.
    """
    found = commands_of_folder(folder)
    if found and command not in found:
        problem = f"holds what `tvo {min(found)}` wrote."
        remedy = f"`tvo {command}` would write over it: name another folder."
        raise UserError("output_dir", folder, problem, remedy)
