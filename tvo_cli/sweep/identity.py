"""What makes two jobs the same."""

from __future__ import annotations

from typing import Any

from tvo_cli import config as configuration
from tvo_cli.errors import UserError


def identity(config: Any) -> str:
    """The fingerprint of a job's configuration.

    Of its text as it stands where it cannot be resolved by itself: in `tvo variance` the model's prompt refers to
    the data set of each session, and a mistake of the user's is told better by the job itself.
    """
    from omegaconf import OmegaConf

    try:
        return configuration.fingerprint(config)
    except UserError:
        return configuration.fingerprint(OmegaConf.to_container(config, resolve=False))
