"""The pieces of an algorithm, as a config describes them: built from their nodes, each refuses what it cannot be."""

from __future__ import annotations

from omegaconf import DictConfig

from tvo_cli import config as configuration
from tvo_cli.advantage import Estimator, shaped_estimator
from tvo_cli.optim import StepRule
from tvo_cli.training.update.algorithm import Algorithm


def build_algorithm(config: DictConfig) -> Algorithm:
    """All pieces of a run's algorithm; no model is needed, so that a refusal comes before one is loaded.

    Raises:
        UserError: a piece cannot be what its settings say.
    """
    chosen = config.algorithm
    return Algorithm(
        name=str(chosen.name),
        estimator=build_estimator(chosen),
        objective=configuration.build(chosen.objective),
        step_rule=_build_step_rule(chosen.step_rule, config.optimizer),
        sampling=configuration.build(chosen.sampling),
        branching=configuration.build(chosen.get("branching")),
        token_temperature=configuration.build(chosen.get("token_temperature")),
        thinking_end=str(chosen.get("thinking_end", "")),
        self_imitation=configuration.build(chosen.get("self_imitation")),
        internal_policy=configuration.build(chosen.get("internal_policy")),
    )


def build_estimator(algorithm: DictConfig) -> Estimator:
    """The advantage estimator with the shapings of rewards and advantages that the algorithm names."""
    shapings = (configuration.build(algorithm.get(key)) or {} for key in ("reward_shaping", "advantage_shaping"))
    return shaped_estimator(configuration.build(algorithm.estimator), *shapings)


def _build_step_rule(node: DictConfig, optimizer: DictConfig) -> StepRule:
    """The step rule; the target of one that holds a divergence rises with the rate."""
    rule: StepRule = configuration.build(node)
    if hasattr(rule, "warm_up"):
        rule.warm_up = int(optimizer.get("warm_up", 0)) or int(optimizer.schedule.get("warm_up", 0))
    return rule
