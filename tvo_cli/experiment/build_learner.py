"""The policy in training with its adapter, algorithm, optimiser, reference and critic, as a config describes them."""

from __future__ import annotations

from typing import Any, NamedTuple

from omegaconf import DictConfig

from tvo_cli import config as configuration
from tvo_cli.advantage import Estimator, shaped_estimator
from tvo_cli.errors import UserError
from tvo_cli.model import Critic, Policy, clone_frozen
from tvo_cli.model.adapter import AdapterSettings, attach_adapter, log_adapter
from tvo_cli.model.policy_loading import base_model
from tvo_cli.optim import StepRule, with_warm_up
from tvo_cli.optim.fused_kernel import with_fused_kernel
from tvo_cli.training.device_and_precision import Runtime
from tvo_cli.training.learner import Algorithm, CriticLearner, Learner


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
    return LearnerNetworks(policy, reference, critic)


def build_learner(config: DictConfig, networks: LearnerNetworks, runtime: Runtime) -> Learner:
    """The networks with all that changes the policy's weights."""
    chosen, optimizer = config.algorithm, config.optimizer
    algorithm = Algorithm(
        name=str(chosen.name),
        estimator=build_estimator(chosen),
        objective=configuration.build(chosen.objective),
        step_rule=_build_step_rule(chosen.step_rule, optimizer),
        sampling=configuration.build(chosen.sampling),
        thinking_end=str(chosen.get("thinking_end", "")),
    )
    parameters = [p for p in networks.policy.network.parameters() if p.requires_grad]
    return Learner(
        policy=networks.policy,
        algorithm=algorithm,
        optimizer=with_fused_kernel(configuration.build(optimizer.make), parameters)(
            parameters, lr=float(optimizer.lr)
        ),
        schedule=with_warm_up(configuration.build(optimizer.schedule), int(optimizer.get("warm_up", 0))),
        lr=float(optimizer.lr),
        clip_norm=float(optimizer.clip_norm),
        runtime=runtime,
        reference=networks.reference,
        critic=None if networks.critic is None else _build_critic_learner(config, networks.critic, runtime),
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
