"""Rollouts: prompts → responses with log-probabilities. Who generates is hidden behind `generate`."""

from tvo_cli.rollout.dynamic import EveryGroup, MixedGroups, SamplingRule
from tvo_cli.rollout.generation import generate
from tvo_cli.rollout.mismatch import mismatch, truncated_importance
from tvo_cli.rollout.sampling import Sampling
from tvo_cli.rollout.selection import join, select

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
