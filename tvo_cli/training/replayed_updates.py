"""Updates from kept responses: after the updates of a batch, those of what self-imitation has drawn for its step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice

import torch
from torch import Tensor

from tvo_cli.maths import groups
from tvo_cli.objective import Objective
from tvo_cli.objective.reduction import Reduction
from tvo_cli.rollout.self_imitation import KeptResponses, SelfImitation
from tvo_cli.training.batch import GradedBatch, RolloutBatch, SampledBatch
from tvo_cli.training.counters import RunCounters
from tvo_cli.training.rng import rng_from_names
from tvo_cli.training.run_settings import InnerLoopSettings
from tvo_cli.training.session import Session
from tvo_cli.training.step_state import StepInProgress
from tvo_cli.training.update.learner import Learner
from tvo_cli.training.update.minibatches import Minibatch, cut_into_minibatches
from tvo_cli.training.update.policy_update import update_policy
from tvo_cli.types import Advantage, Experience, Rollout


def draw_kept_responses(session: Session) -> RolloutBatch | None:
    """What the step learns from besides its own batch, as a batch of its own; None where there is nothing."""
    imitation = session.learner.algorithm.self_imitation
    if imitation is None:
        return None
    drawn = imitation.draw(rng_from_names(session.seed, "replay", session.counters.step))
    return None if drawn is None else _batch_of_kept(*drawn, session)


def _batch_of_kept(kept: KeptResponses, advantage: Tensor, session: Session) -> RolloutBatch:
    """Every response a prompt of its own: a minibatch may hold any of them."""
    kept = KeptResponses(*(getattr(kept, name).to(session.learner.runtime.device) for name in kept.__slots__))
    advantage, alone = advantage.to(kept.rewards.device), torch.arange(len(kept), device=kept.rewards.device)
    rollout = Rollout(
        *(kept.prompt_ids, kept.prompt_mask, kept.response_ids, kept.mask, kept.old_logp),
        *(torch.ones_like(alone, dtype=torch.bool), alone, ("",) * len(kept)),
    )
    experience = Experience(
        *(kept.rewards, kept.mask, alone, torch.zeros_like(alone), kept.old_logp), step=session.counters.step
    )
    nothing = SampledBatch(GradedBatch((), rollout, (), ()), (), 0)
    return RolloutBatch((), rollout, (), experience, Advantage(advantage[:, None] * kept.mask, 1.0), nothing)


def remaining_replayed_minibatches(
    learner: Learner, work: StepInProgress, passes: InnerLoopSettings, *, seed: int, step: int
) -> Iterator[Minibatch]:
    """The minibatches of the kept responses that have not been used yet, as large as the batch's own."""
    own = passes.epochs * passes.minibatches
    if work.replayed is None:
        return iter(())
    rows = len(work.replayed.experience.rewards)
    count = max(1, rows * passes.minibatches // len(work.batch.experience.rewards))
    order = cut_into_minibatches(
        work.replayed.experience.group.cpu(),
        epochs=1,
        count=count,
        microbatch_rows=replace(passes, minibatches=count).bounded_rows(work.replayed.rollout) or rows,
        variance_parts=passes.ranks,
        ranks=passes.ranks,
        seed=rng_from_names(seed, "replayed", step).initial_seed(),
        step=step,
    )
    after = (replace(one, epoch=passes.epochs, measured=False) for one in order)  # of no pass over the batch itself
    return islice(after, work.position - own, None)


def update_by_replay(
    learner: Learner,
    work: StepInProgress,
    minibatch: Minibatch,
    passes: InnerLoopSettings,
    factor: float,
    counters: RunCounters,
) -> None:
    """One optimiser step on γ_t times the loss of kept responses."""
    assert work.replayed is not None
    imitating = replace(work, batch=work.replayed, report=work.replay_report, replayed=None)
    update_policy(
        _imitating_learner(learner, work.replayed.experience.step), imitating, minibatch, passes, factor, counters
    )
    work.position = imitating.position


def _imitating_learner(learner: Learner, step: int) -> Learner:
    """The learner with the loss of the replay."""
    algorithm = learner.algorithm
    imitation = algorithm.self_imitation
    assert imitation is not None
    own = objective_of_replay(algorithm.objective, imitation, step)
    return replace(learner, algorithm=replace(algorithm, objective=own))


def objective_of_replay(objective: Objective, imitation: SelfImitation, step: int) -> Objective:
    """The loss of the replay: the policy's term alone, its own weight, γ_t times the shares."""
    return replace(
        objective,
        weight=imitation.weight,
        reduce=partial(_reduction_of_replay, objective.reduce, imitation.loss_weight(step)),
        forces={},
        penalties={},
        reads={**objective.reads, "minibatch": True},
    )


def _reduction_of_replay(reduce: Reduction, factor: float, mask: Tensor) -> Tensor:
    """The objective's reduction of a minibatch of kept responses, times the weight γ_t of their loss."""
    return factor * reduce(mask)


def keep_good_responses(session: Session, work: StepInProgress, *, finite: bool) -> None:
    """What self-imitation keeps of a batch that was learnt from; of one with a broken number nothing."""
    imitation, batch = session.learner.algorithm.self_imitation, work.batch
    if imitation is None:
        return
    if not finite:
        if work.replayed is not None:
            imitation.forget()
        return
    own, rollout, experience = batch.own_rows, batch.rollout, batch.experience
    columns = (rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask)
    steps = torch.full_like(experience.group, experience.step)
    kept = (*columns, experience.old_logp, experience.rewards, steps)
    mean = torch.where(experience.mask, batch.advantage.values, 0.0).sum(1)
    imitation.end_batch(
        KeptResponses(*(column[own].cpu() for column in kept)),
        mean[own],
        groups.group_mean(experience.rewards[own], experience.group[own]),
        drawn=work.replayed is not None,
    )
