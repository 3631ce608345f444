"""The policy of a run, loaded to be asked."""

from __future__ import annotations

from pathlib import Path

from tvo_cli.errors import UserError
from tvo_cli.experiment.run_of_policy import recorded_config_of_policy
from tvo_cli.model.loading.policy_loading import load_policy
from tvo_cli.model.policy import Policy
from tvo_cli.training.device_and_precision import choose_device


def load_policy_of_run(folder: Path, checkpoint: str, device: str) -> Policy:
    """Load the policy of a run's checkpoint with the settings that the run had.

    Raises:
        UserError: it is no training run, it has no such checkpoint, or there is no such device.
    """
    recorded = recorded_config_of_policy(str(folder))
    if recorded is None:
        raise UserError("run", folder, "is no training run.", "It needs the config.yaml of a `tvo train`.")
    asked = {"path": str(folder), "checkpoint": checkpoint, "gradient_checkpointing": False}
    return load_policy({**recorded["model"], **asked}, device=choose_device(device))
