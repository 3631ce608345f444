"""Rollouts: prompts → responses with log-probabilities. Who generates is hidden behind `generate`."""

from tvo_cli.rollout.generation import generate
from tvo_cli.rollout.mismatch import mismatch, truncated_importance
from tvo_cli.rollout.sampling import Sampling

__all__ = ["Sampling", "generate", "mismatch", "truncated_importance"]
