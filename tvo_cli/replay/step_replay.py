"""A recorded step replayed: bit for bit under its own settings, or its rollouts under another algorithm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from tvo_cli.checkpoint import optimizer_state
from tvo_cli.checkpoint.record_serialization import unpack_record
from tvo_cli.checkpoint.tensor_slice import HeldParts
from tvo_cli.maths import masked
from tvo_cli.maths.divergence import binary_total_variation
from tvo_cli.replay.gradient_attribution import GradientAttribution, attribute_gradient
from tvo_cli.replay.non_finite_source import NonFiniteSource, find_non_finite
from tvo_cli.training import flight_recorder
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.replayed_updates import remaining_replayed_minibatches, update_by_replay
from tvo_cli.training.resume.checkpoint_origin import check_resumed_base
from tvo_cli.training.rollout_collection.assemble_batch import assemble_batch
from tvo_cli.training.session import IN_FLIGHT, Session
from tvo_cli.training.step_state import StepInProgress
from tvo_cli.training.stopwatch import Stopwatch
from tvo_cli.training.update.minibatches import Minibatch
from tvo_cli.training.update.policy_update import remaining_minibatches_of_update, update_policy

Recording = tuple[HeldParts, Mapping[str, Any]]


@dataclass(slots=True)
class ReplayedStep:
    """A replayed step: its weights before and after, minibatch order, gradient attribution, non-finite sources."""

    algorithm: str
    work: StepInProgress
    weights_before: str
    decode: Callable[[list[int]], str]
    weights_after: str = ""
    order: list[list[int]] = field(default_factory=list)
    troubles: list[tuple[int, NonFiniteSource]] = field(default_factory=list)  # update, counted from 1
    attribution: GradientAttribution | None = None  # of the update of the largest gradient norm
    attributed: int = 0
    moved: Tensor | None = None  # θ after − θ before, float64 [d]
    divergence: float = 0.0  # mean binary TV of the whole step
    notes: list[str] = field(default_factory=list)

    def cosine(self, other: ReplayedStep) -> float:
        """Between the two steps' changes of the weights; nan where one did not move."""
        if self.moved is None or other.moved is None:
            return float("nan")
        return float(self.moved @ other.moved / (self.moved.norm() * other.moved.norm()))


def replay_exactly(session: Session, recording: Recording, *, most: int) -> ReplayedStep:
    """Repeat the step under the settings it was recorded with."""
    parts, state = recording
    check_resumed_base(state["origin"], session.origin)
    session.restore(parts["policy"], parts, state)
    if session.work is None:
        raise ValueError("a recording holds a rollout batch")
    return _replay_step(session, session.work, most)


def replay_with(
    session: Session, recording: Recording, *, same_optimizer: bool, most: int, attributed: int
) -> ReplayedStep:
    """The same policy and rollouts under the session's own algorithm, whose state is that of a start.

    `attributed`: the update whose gradient is split over tokens, counted from 1; 0: that of the largest norm.
    """
    parts, state = recording
    check_resumed_base(state["origin"], session.origin)
    notes = _restore_for_replay(session, parts, state, same_optimizer)
    found: StepInProgress = unpack_record(
        IN_FLIGHT["work"], state["work"], parts["work"], session.learner.runtime.device
    )
    batch = found.batch
    again = assemble_batch(session, batch.drawn)
    replayed = _replay_step(session, StepInProgress(again, Stopwatch()), most, attributed)
    replayed.notes = notes
    if batch.demonstrated is not None:
        replayed.notes.append("not applied: the next-token loss of demonstrations that the step learnt from besides")
    if found.replayed is not None:
        replayed.notes.append("not applied: the kept responses that the step learnt from besides")
    return replayed


def _restore_for_replay(
    session: Session, parts: HeldParts, state: Mapping[str, Any], same_optimizer: bool
) -> list[str]:
    """Policy and, where they fit, the optimiser's moments and the critic; what did not fit, in words."""
    learner, notes = session.learner, []
    session.counters.step = int(state["counters"]["step"])
    session.weighting.load_state_dict(state.get("weighting", {}))
    learner.policy.restore(parts["policy"])
    if same_optimizer:
        optimizer_state.restore_optimizer(learner.optimizer, parts["optimizer"], learner.policy.network)
    else:
        notes.append("another optimiser: it starts without moments")
    if learner.critic is not None and "critic" in parts:
        critic = learner.critic.critic
        critic.restore(parts["critic"])
        optimizer_state.restore_optimizer(learner.critic.optimizer, parts["critic_optimizer"], critic)
    elif learner.critic is not None:
        notes.append("the run had no critic: a new one values every state at 0")
    return [*notes, "its coefficients, baselines and viscosity start from their initial values"]


def _replay_step(session: Session, work: StepInProgress, most: int, attributed: int = 0) -> ReplayedStep:
    learner, step = session.learner, session.counters.step
    before = [p.detach().clone() for p in learner.parameters]
    replayed = ReplayedStep(
        learner.algorithm.name,
        work,
        session.fingerprint(session.weights()),
        learner.policy.tokenizer.decode,
    )
    replayed.order = flight_recorder.recorded_minibatch_order(session, work, step)
    factor = learner.schedule(step, session.limits.steps)
    for minibatch in remaining_minibatches_of_update(
        learner, work, session.passes, seed=session.seed, step=step, steps=session.limits.steps
    ):
        _inspect_next_update(session, replayed, minibatch, most, attributed)
        if not update_policy(learner, work, minibatch, session.passes, factor, session.counters):
            break
    for minibatch in remaining_replayed_minibatches(learner, work, session.passes, seed=session.seed, step=step):
        update_by_replay(learner, work, minibatch, session.passes, factor, session.counters)
    replayed.weights_after = session.fingerprint(session.weights())
    changes = [(p.detach() - start).double().flatten() for p, start in zip(learner.parameters, before)]
    replayed.moved = torch.cat(changes).cpu()
    replayed.divergence = _divergence_after_replayed_step(session, work.batch)
    return replayed


def _inspect_next_update(
    session: Session, replayed: ReplayedStep, minibatch: Minibatch, most: int, attributed: int
) -> None:
    """What the next update will be made of; of several splits the one with the largest norm is kept."""
    learner, batch = session.learner, replayed.work.batch
    troubles = find_non_finite(learner, batch, minibatch, session.passes)
    replayed.troubles += [(replayed.work.position + 1, one) for one in troubles]
    if troubles or attributed not in (0, replayed.work.position + 1):
        return
    found = attribute_gradient(learner, batch, minibatch, session.passes, most)
    if replayed.attribution is None or found.norm > replayed.attribution.norm:
        replayed.attribution, replayed.attributed = found, replayed.work.position + 1


@torch.no_grad()
def _divergence_after_replayed_step(session: Session, batch: RolloutBatch) -> float:
    """Mean |π − π_old| over the batch's tokens at the weights after the step."""
    rollout = batch.rollout
    with session.learner.autocast():
        columns = (rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask)
        heat, internal = session.passes.temperature, batch.experience.internal
        logp = session.learner.policy.read(*columns, heat, covariance=False, internal=internal).scores.logp
    return float(masked.mean(binary_total_variation(logp, batch.experience.old_logp), rollout.mask))
