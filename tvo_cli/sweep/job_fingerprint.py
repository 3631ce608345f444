"""The fingerprint of a job, by which two jobs of a sweep are the same; whether one that is done begins anew."""

from __future__ import annotations

from typing import Any

from tvo_cli import config as configuration
from tvo_cli.errors import UserError


def fingerprint_of_job(config: Any) -> str:
    """Return the fingerprint of a job's config.

    Of its text as it stands where it cannot be resolved by itself: in `tvo variance` the model's prompt refers to
    the data set of each session, and a mistake of the user's is told better by the job itself.
    """
    from omegaconf import OmegaConf

    try:
        return configuration.config_fingerprint(config)
    except UserError:
        return configuration.config_fingerprint(OmegaConf.to_container(config, resolve=False))


def begins_anew(config: Any) -> bool:
    """Return whether a job is asked to begin anew where its folder holds a run (resume=never)."""
    return str((config.get("resume") or {}).get("mode")) == "never"
