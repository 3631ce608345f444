"""What rewards a run: the built-in terms, the user's own functions, and how all of them are weighted."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

from omegaconf import DictConfig

from tvo_cli.config import resolved_tree
from tvo_cli.maths.loss_balancing import LossWindows
from tvo_cli.reward import Rewards
from tvo_cli.reward.reward_functions import RewardFunctions
from tvo_cli.training.reward_terms.gradient_weighting import GradientWeighting
from tvo_cli.training.reward_terms.hypervolume_weighting import HypervolumeWeighting
from tvo_cli.training.reward_terms.reward_weighting import FixedWeighting, RewardWeighting
from tvo_cli.training.reward_terms.window_weighting import WindowWeighting


class RewardParts(NamedTuple):
    """What a session needs to reward responses."""

    rewards: Rewards
    functions: RewardFunctions
    weighting: RewardWeighting


def build_rewards(config: DictConfig, resources: ExitStack) -> RewardParts:
    """The parts that reward a run's responses; no function is loaded yet."""
    node = resolved_tree(config.reward)
    rewards = Rewards(node)
    functions = resources.enter_context(RewardFunctions.of(node, int(config.seed)))
    weights = rewards.weights | {name: weight for name, weight in functions.weights.items() if weight}
    return RewardParts(rewards, functions, build_reward_weighting(node, weights))


def build_reward_weighting(node: Mapping[str, Any], weights: Mapping[str, float]) -> RewardWeighting:
    """Build the weighting of a reward node. `weights`: of every term that counts, by name, in their order."""
    kind = str(node.get("weighting") or "fixed")
    if kind == "hypervolume":
        chosen = node["hypervolume"]
        return HypervolumeWeighting(weights, base=float(chosen["base"]), scale=float(chosen["scale"]))
    if kind == "gradient":
        chosen = node["gradient"]
        rate, floor = float(chosen["rate"]), float(chosen["floor"])
        return GradientWeighting(weights, rate, int(chosen["every"]), bool(chosen["normalise"]), floor)
    if kind == "recap":
        chosen = node["recap"]
        return WindowWeighting(weights, LossWindows(int(chosen["window"]), float(chosen["temperature"])))
    return FixedWeighting()
