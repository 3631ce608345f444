"""The policy under training with its algorithm, optimiser, reference and critic, as a config describes them."""

from __future__ import annotations

from omegaconf import DictConfig

from tvo_cli import config as configuration
from tvo_cli.experiment.choose_copies import choose_reference_of_run
from tvo_cli.model import Critic, Policy, clone_frozen
from tvo_cli.optim.fused_kernel import with_fused_kernel
from tvo_cli.training.device_and_precision import Runtime
from tvo_cli.training.learner import Algorithm, CriticLearner, Learner


def build_learner(config: DictConfig, policy: Policy, runtime: Runtime) -> Learner:
    """The policy with all that changes its weights."""
    chosen, optimizer = config.algorithm, config.optimizer
    algorithm = Algorithm(
        name=str(chosen.name),
        estimator=configuration.build(chosen.estimator),
        objective=configuration.build(chosen.objective),
        step_rule=configuration.build(chosen.step_rule),
        sampling=configuration.build(chosen.sampling),
    )
    parameters = [p for p in policy.network.parameters() if p.requires_grad]
    return Learner(
        policy=policy,
        algorithm=algorithm,
        optimizer=with_fused_kernel(configuration.build(optimizer.make), parameters)(
            parameters, lr=float(optimizer.lr)
        ),
        schedule=configuration.build(optimizer.schedule),
        lr=float(optimizer.lr),
        clip_norm=float(optimizer.clip_norm),
        runtime=runtime,
        reference=clone_frozen(policy) if choose_reference_of_run(config, algorithm, policy).kept else None,
        critic=_build_critic_learner(config, policy, runtime) if chosen.critic else None,
    )


def _build_critic_learner(config: DictConfig, policy: Policy, runtime: Runtime) -> CriticLearner:
    node = config.algorithm.critic
    critic = Critic(policy)
    optimizer = configuration.build(config.optimizer.make)(list(critic.parameters()), lr=float(node.lr))
    return CriticLearner(critic, optimizer, float(node.clip), float(node.clip_norm), runtime)
