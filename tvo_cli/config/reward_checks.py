"""Checks of a reward: its own functions and scorers are loaded and their signatures read, its weights must suit."""

from __future__ import annotations

from typing import Any

from tvo_cli.config.resolvers import resolved_tree
from tvo_cli.errors import UserError
from tvo_cli.plugins.own_code_references import scorers_of_config
from tvo_cli.plugins.reward_entries import check_reward_functions, reward_entries
from tvo_cli.plugins.scorer_reference import check_scorer


def check_reward(config: Any) -> None:
    """Raise UserError for the first thing that would fail at the first step, or teach nothing."""
    node = resolved_tree(config.reward)
    check_reward_functions(node.get("functions"))
    _check_scorers(config)
    weights = _reward_weights_of(node)
    if not any(weights.values()):
        remedy = "Give one a weight: reward.correct=1"
        raise UserError("reward.correct", node.get("correct"), "is 0 as every weight is: nothing is learned.", remedy)
    if node.get("weighting") == "hypervolume":
        _check_hypervolume(config)
    elif node.get("weighting") == "recap":
        _check_window_weighting(config, sum(weight != 0 for weight in weights.values()))
    elif node.get("weighting") == "gradient":
        _check_gradient_weighting(config, {key: weight for key, weight in weights.items() if weight}, node["gradient"])


def _reward_weights_of(node: dict[str, Any]) -> dict[str, float]:
    """Every weight by its key."""
    built_in = {
        "reward.correct": node.get("correct", 1.0),
        "reward.format": node.get("format", 0.0),
        "reward.length.weight": (node.get("length") or {}).get("weight", 0.0),
    }
    own = {f"{entry.key}.weight": entry.weight for entry in reward_entries(node.get("functions"))}
    return {key: float(weight) for key, weight in (built_in | own).items()}


def _check_hypervolume(config: Any) -> None:
    """Refuse it where no evaluation would ever come."""
    for name in ("problems", "every"):
        if not config.evaluation[name]:
            problem = "follows held-out evaluations on the way, and there are none."
            raise UserError("reward.weighting", "hypervolume", problem, f"Set evaluation.{name}, 20 for example.")


def _check_gradient_weighting(config: Any, weights: dict[str, float], settings: dict[str, Any]) -> None:
    """Refuse it where a term has no gradient of its own, or weights that mirror ascent cannot have."""
    for key, weight in weights.items():
        if weight < 0:
            raise UserError(key, weight, "must not be negative with reward.weighting=gradient.", "Negate the function.")
    if len(weights) < 2:
        raise UserError("reward.weighting", "gradient", "needs two terms of a weight.", "Add one to reward.functions.")
    floor = float(settings["floor"])
    if floor * len(weights) >= 1.0:
        raise UserError("reward.gradient.floor", floor, f"leaves no room for {len(weights)} weights.", "Take 1e-3.")
    _check_gradients_can_be_taken(config)


def _check_window_weighting(config: Any, terms: int) -> None:
    """Refuse it where there is nothing to weigh, or where a batch holds groups that must not be rewarded anew."""
    if terms < 2:
        raise UserError("reward.weighting", "recap", "needs two terms of a weight.", "Add one to reward.functions.")
    if config.algorithm.sampling.get("most", 1) > 1:
        problem = "cannot be had here: dynamic sampling fills a batch with groups that teach nothing."
        raise UserError("reward.weighting", "recap", problem, "Take reward.weighting=hypervolume or fixed.")


def _check_gradients_can_be_taken(config: Any) -> None:
    algorithm, remedy = config.algorithm, "Take reward.weighting=hypervolume or fixed."
    reasons = {
        f"algorithm={algorithm.name} has a critic, which values the sum of all terms.": algorithm.critic,
        "the estimator charges a KL in the reward, which belongs to no term.": algorithm.estimator.get("kl_coef"),
        "dynamic sampling fills a batch with groups that teach nothing.": algorithm.sampling.get("most", 1) > 1,
        "weights are sharded, and a gradient is whole on no rank.": config.parallel.strategy == "shard",
    }
    for reason, holds in reasons.items():
        if holds:
            raise UserError("reward.weighting", "gradient", f"cannot be had here: {reason}", remedy)


def refuse_reward_functions(reward: Any, command: str) -> None:
    """Refuse a config whose `reward.functions` would not be used: `tvo eval` and `tvo sft` reward nothing."""
    if reward.get("functions"):
        problem = f"{command} rewards nothing; it judges."
        raise UserError("reward.functions", "[…]", problem, "Leave it out. To judge by own code: reward.scorer")


def check_judge_of_evaluation(config: Any) -> None:
    """Check the scorers of an evaluation and its suites: loaded, signatures read, before a model is asked."""
    refuse_reward_functions(config.reward, "tvo eval")
    _check_scorers(config)


def _check_scorers(config: Any) -> None:
    """Load every own scorer that a config names and check its signature: of the run, of data sets, of suites."""
    groups = {group: resolved_tree(config[group]) for group in ("reward", "dataset", "evaluation")}
    for key, value in scorers_of_config(groups):
        check_scorer(key, value)
