"""The policy in training with its adapter, optimiser, reference and critic, as a config describes them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from omegaconf import DictConfig
from torch import nn
from torch.optim import Optimizer

from tvo_cli import config as configuration
from tvo_cli.errors import UserError
from tvo_cli.model import Critic, Policy, clone_frozen
from tvo_cli.model.adapters.adapter import AdapterSettings, attach_adapter, log_adapter
from tvo_cli.model.adapters.adapter_base import base_model
from tvo_cli.model.forward_pass.first_blocks import NoBlocks, block_count, first_blocks
from tvo_cli.objective.internal_policy import InternalPolicy
from tvo_cli.optim import Lion, with_warm_up
from tvo_cli.optim.fused_kernel import with_fused_kernel
from tvo_cli.training.device_and_precision import Runtime
from tvo_cli.training.update.algorithm import Algorithm
from tvo_cli.training.update.learner import CriticLearner, Learner

log = logging.getLogger("tvo")


class LearnerNetworks(NamedTuple):
    """All that a step computes with."""

    policy: Policy
    reference: Policy | None
    critic: Critic | None

    @property
    def transformers(self) -> list[Any]:
        """Each one's transformer."""
        policies = [policy.network for policy in (self.policy, self.reference) if policy is not None]
        return [*policies, *([] if self.critic is None else [self.critic.body])]


def build_networks(config: DictConfig, policy: Policy, *, with_reference: bool) -> LearnerNetworks:
    """The policy with its adapter, the frozen reference where it is kept, and the critic where there is one."""
    adapter = adapter_settings(config, policy)
    reference = clone_frozen(policy) if with_reference else None
    critic = Critic(policy, adapter) if config.algorithm.critic else None
    if adapter is not None:
        build_adapter(policy, adapter, config.model)
    _give_internal_body(config, [one for one in (policy, reference) if one is not None])
    return LearnerNetworks(policy, reference, critic)


def _give_internal_body(config: DictConfig, policies: Sequence[Policy]) -> None:
    """The first blocks as a backbone of their own, where an inner block's policy learns at first.

    Raises:
        UserError: the network cannot be cut there.
    """
    chosen: InternalPolicy | None = configuration.build(config.algorithm.get("internal_policy"))
    if chosen is None or not chosen.steps:
        return
    for policy in policies:
        try:
            if not policy.head.split:
                raise NoBlocks("has more than a scale between its last state and its logits")
            blocks = block_count(policy.body)
            policy.internal_body = first_blocks(policy.body, chosen.block_of(blocks))
        except NoBlocks as error:
            problem = f"this model {error}, so that no inner block of it speaks a policy."
            remedy = "Take another model, or algorithm.internal_policy.steps=0."
            raise UserError("algorithm.internal_policy", type(policy.network).__name__, problem, remedy) from error
    told = f"the policy of block {chosen.block_of(blocks)} of {blocks} learns for"
    if chosen.steps < config.trainer.steps:
        log.info("algorithm.internal_policy: %s %d steps, then the whole network's", told, chosen.steps)
    else:
        never = f"all {config.trainer.steps} steps: the whole network's never does (algorithm.internal_policy.steps)"
        log.warning("algorithm.internal_policy: %s %s", told, never)


def build_learner(config: DictConfig, algorithm: Algorithm, networks: LearnerNetworks, runtime: Runtime) -> Learner:
    """The networks with all that changes the policy's weights."""
    optimizer = config.optimizer
    parameters = [p for p in networks.policy.network.parameters() if p.requires_grad]
    return Learner(
        policy=networks.policy,
        algorithm=algorithm,
        optimizer=_build_optimizer(config, parameters),
        schedule=with_warm_up(configuration.build(optimizer.schedule), int(optimizer.get("warm_up", 0))),
        lr=float(optimizer.lr),
        clip_norm=float(optimizer.clip_norm),
        runtime=runtime,
        reference=networks.reference,
        critic=None if networks.critic is None else _build_critic_learner(config, networks.critic, runtime),
    )


def _build_optimizer(config: DictConfig, parameters: list[nn.Parameter]) -> Optimizer:
    """The policy's optimiser, by the quickest kernel; Lion counts what its reading asks for."""
    make = with_fused_kernel(configuration.build(config.optimizer.make), parameters)
    optimizer = make(parameters, lr=float(config.optimizer.lr))
    if isinstance(optimizer, Lion):
        optimizer.counts_flips = bool((config.stability.get("readings") or {}).get("lion"))
    return optimizer


def adapter_settings(config: DictConfig, policy: Policy) -> AdapterSettings | None:
    """The adapter that is asked for; the policy is then frozen, so that reference and critic share its weights."""
    if policy.base is not None:
        problem = "holds an adapter, and further training needs a model of its own to start from."
        raise UserError("model.path", config.model.path, problem, "Merge it first: tvo export RUN OUT --merge.")
    settings = AdapterSettings.of(config.adapter)
    if settings is not None:
        policy.network.requires_grad_(False)
    return settings


def build_adapter(policy: Policy, settings: AdapterSettings, node: DictConfig) -> None:
    """The adapter comes last: reference and critic are made of the base alone."""
    policy.base = base_model(node, policy.network)
    attach_adapter(policy.network, settings)
    log_adapter(policy.network, settings)


def _build_critic_learner(config: DictConfig, critic: Critic, runtime: Runtime) -> CriticLearner:
    node = config.algorithm.critic
    trained = [parameter for parameter in critic.parameters() if parameter.requires_grad]
    optimizer = configuration.build(config.optimizer.make)(trained, lr=float(node.lr))
    return CriticLearner(critic, optimizer, float(node.lr), float(node.clip), float(node.clip_norm), runtime)
