"""`tvo variance`: the gradient variance of several estimators at the same parameters."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from tvo_cli import config as configuration
from tvo_cli import environment
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.errors import UserError
from tvo_cli.experiment.build_session import build_session
from tvo_cli.experiment.early_checks import node_of_behaviour, said_of_behaviour
from tvo_cli.model import Policy, load_policy
from tvo_cli.training.behaviour_policy import BehaviourPolicy
from tvo_cli.training.gradient_variance_probe import (
    GradientMoments,
    Progress,
    collect_gradient_moments,
    compare_with_true_gradient,
)


def variance(config: DictConfig, progress: Progress) -> list[dict[str, Any]]:
    """tr Cov of each estimator's gradient at the same parameters, normalised by the true gradient's square."""
    true = _gradient_moments_of(config, str(config.truth), config.seed + 1, int(config.true_batches), None, progress)
    rows = []
    for name in config.estimators:
        found = _gradient_moments_of(config, str(name), config.seed, int(config.batches), true.mean, progress)
        compared = compare_with_true_gradient(found, true, int(config.rollouts))
        rows.append({"estimator": str(name)} | asdict(compared))
    return rows


def _gradient_moments_of(
    config: DictConfig, name: str, seed: int, batches: int, truth: torch.Tensor | None, progress: Progress
) -> GradientMoments:
    """Gradients of one algorithm's estimator at its own rollout sizes; overrides may stand behind its name.

    Without a truth it is the true gradient's own, on-policy; else `behaviour` samples, where one is named.
    """
    algorithm, *own = name.split()
    with configuration.recorded_plugins_in_effect(list(config.plugins)):
        chosen = configuration.compose(
            [f"algorithm={algorithm}", f"seed={seed}", *config.shared, *own, "output_dir=unused"]
        )
    chosen.model = config.model
    check_across_keys(chosen)
    if chosen.reward.weighting != "fixed":
        problem = "moves with a run's steps, and here the parameters stay."
        raise UserError("reward.weighting", chosen.reward.weighting, problem, "Leave it at fixed.")
    if (chosen.algorithm.get("next_token") or {}).get("coefficient"):
        problem = f"algorithm={name} learns demonstrations too, and what is measured here is of responses alone."
        remedy = "Take 0, behind the name: 'NAME algorithm.next_token.coefficient=0'."
        raise UserError("algorithm.next_token.coefficient", chosen.algorithm.next_token.coefficient, problem, remedy)
    rollouts = int(chosen.rollout.prompts) * int(chosen.rollout.samples)
    if rollouts != int(config.rollouts):
        raise UserError("rollouts", config.rollouts, f"algorithm={name} draws {rollouts} a batch; they must be equal.")
    with ExitStack() as resources:
        session = build_session(chosen, Path(config.output_dir), resources)
        environment.record_environment(session.folder, environment.facts_of_run(session.learner), anew=True)
        behaviour = None if truth is None else _behaviour_policy(config, session.learner.policy)
        return collect_gradient_moments(session, batches, int(config.warm_up), truth, progress, behaviour)


def _behaviour_policy(config: DictConfig, policy: Policy) -> BehaviourPolicy | None:
    """The weights of `behaviour` beside the policy; None: the policy samples itself.

    Raises:
        UserError: it is another network than the policy, or has another tokenizer or base.
    """
    if not config.behaviour:
        return None
    with said_of_behaviour():
        other = load_policy(node_of_behaviour(config), device=next(policy.parameters()).device)
    own, weights = policy.trained_tensors(), other.trained_tensors()
    same = {name: tensor.shape for name, tensor in own.items()} == {name: t.shape for name, t in weights.items()}
    if not same or policy.base != other.base or policy.tokenizer.get_vocab() != other.tokenizer.get_vocab():
        problem = f"is another network than model.path={config.model.path}, or has another tokenizer or base."
        raise UserError("behaviour", config.behaviour, problem, "Take policies of one run, or of one model.")
    return BehaviourPolicy(policy, weights)
