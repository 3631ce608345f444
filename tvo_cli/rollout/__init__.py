"""Rollouts: prompts → responses with log-probabilities. Who generates is hidden behind `generate`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tvo_cli.rollout.dynamic_sampling import EveryGroup, MixedGroups, SamplingRule
from tvo_cli.rollout.mismatch import mismatch, truncated_importance  # light; and a function of its file's name

if TYPE_CHECKING:
    from tvo_cli.rollout.generation import generate
    from tvo_cli.rollout.rollout_slices import join, select
    from tvo_cli.rollout.sampling import Sampling

__all__ = [
    "EveryGroup",
    "MixedGroups",
    "Sampling",
    "SamplingRule",
    "generate",
    "join",
    "mismatch",
    "select",
    "truncated_importance",
]
MODULES = {
    **{"generate": "generation", "Sampling": "sampling", "join": "rollout_slices", "select": "rollout_slices"},
}


def __getattr__(name: str) -> Any:
    """Loaded when asked for: a dry run looks up the sampling rule and needs no transformers."""
    if name not in MODULES:
        raise AttributeError(name)
    return getattr(import_module(f"tvo_cli.rollout.{MODULES[name]}"), name)
