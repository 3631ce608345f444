"""The run that wrote a policy: its folder and its recorded config, found without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tvo_cli.config import composing
from tvo_cli.errors import UserError

FINE_TUNED = "sft.json"  # of a `tvo sft` that is done
ABOVE_POLICY = 3  # folders between a policy and its run: policy, step-000010, checkpoints


def recorded_config_of_policy(path: str) -> Any | None:
    """The config of the run that wrote a policy; None of a policy that no run of `tvo train` wrote."""
    folder = run_folder_of_policy(path)
    return folder and _training_config(folder / "config.yaml")


def config_of_training_run(run: Path) -> Any:
    """The recorded config of a run of `tvo train`.

    Raises:
        UserError: there is none.
    """
    recorded = recorded_config_of_policy(str(run))
    if recorded is None and (run / FINE_TUNED).is_file():
        remedy = "Its model, tokenizer and README.md lie there in the hub's format already: copy or upload these."
        raise UserError("RUN", run, "is a run of tvo sft, which has no checkpoints to export.", remedy)
    if recorded is None:
        raise UserError("RUN", run, "is no training run.", "Give the folder of a `tvo train`, with its config.yaml.")
    return recorded


def run_folder_of_policy(path: str) -> Path | None:
    """The folder of the run that wrote a policy: itself, or that of the checkpoint or the policy that is named."""
    folder = Path(path).expanduser()
    if not folder.is_dir():
        return None
    for place in (folder, *list(folder.resolve().parents)[:ABOVE_POLICY]):
        below = place == folder or (place / "checkpoints") in folder.resolve().parents
        if below and (place / "config.yaml").is_file():
            return place
    return None


def _training_config(file: Path) -> Any | None:
    """A run's recorded config; None of a file that is something else."""
    found = composing.load_recorded_config(file.read_text(encoding="utf-8"))
    return found if "trainer" in found and "prompt" in found.get("model", {}) else None
