"""Rollouts: prompts → responses with log-probabilities. Who generates is hidden behind `generate`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tvo_cli.rollout.branching.branching_rule import BranchingRule
from tvo_cli.rollout.branching.entropy_forks import EntropyForks
from tvo_cli.rollout.branching.segment_branches import SegmentBranches
from tvo_cli.rollout.decoding.token_temperature import TokenTemperature
from tvo_cli.rollout.dynamic_sampling import EveryGroup, MixedGroups, SamplingRule
from tvo_cli.rollout.sampler_mismatch import (  # light; and a function of its file's name
    check_sampler_mismatch,
    sampler_mismatch,
    truncated_sampler_correction,
)
from tvo_cli.rollout.self_imitation import SelfImitation
from tvo_cli.rollout.tempered_branch import TemperedBranch

if TYPE_CHECKING:
    from tvo_cli.rollout.decoding.token_sampling import SamplingParams
    from tvo_cli.rollout.generation import generate
    from tvo_cli.rollout.rollout_slices import join_rollouts, select_prompts

__all__ = [
    "BranchingRule",
    "EntropyForks",
    "EveryGroup",
    "MixedGroups",
    "SamplingParams",
    "SamplingRule",
    "SegmentBranches",
    "SelfImitation",
    "TemperedBranch",
    "TokenTemperature",
    "check_sampler_mismatch",
    "generate",
    "join_rollouts",
    "sampler_mismatch",
    "select_prompts",
    "truncated_sampler_correction",
]
MODULES = {
    **{
        "generate": "generation",
        "SamplingParams": "decoding.token_sampling",
        "join_rollouts": "rollout_slices",
        "select_prompts": "rollout_slices",
    },
}


def __getattr__(name: str) -> Any:
    """Loaded when asked for: a dry run looks up the sampling rule and needs no transformers."""
    if name not in MODULES:
        raise AttributeError(name)
    return getattr(import_module(f"tvo_cli.rollout.{MODULES[name]}"), name)
