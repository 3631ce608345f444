"""Refused updates: one after which F of a fresh batch has risen beyond sampling noise is taken back (stability.refuse).

The state before each update is held until the next batch has judged it. A refusal puts back what learns (policy,
optimiser, critic, the algorithm's adaptive pieces, adaptive reward weights) and raises ν; the batch is counted and
not learnt from, for the policy that sampled it is no more. docs/decisions/refused-updates.md has the reasons.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from tvo_cli.stability.lyapunov_condition import ConditionReading, FreeEnergySample, free_energy_sample
from tvo_cli.training.batch import GradedBatch
from tvo_cli.training.collapse_verdict import write_verdict
from tvo_cli.training.refusal_state import Refusal, RefusalState
from tvo_cli.training.rollout_collection.collect_rollouts import sample_and_grade_batch
from tvo_cli.training.session import Session
from tvo_cli.training.step_state import StateSnapshot
from tvo_cli.training.stopwatch import Stopwatch

BATCH, DRIFT = "batch", "drift"


def judge_last_update(session: Session, graded: GradedBatch) -> Refusal | None:
    """Compare the first draw of a step with the batches before it: why updates must be taken back, or None.

    The first draw alone: whether there are further ones depends on what it shows, which would bias a mean over all.
    """
    if not session.limits.refuse:
        return None
    state = _refusal_state(session)
    sample = _sample_of_draw(graded)
    if sample is None:
        state.condition.last, state.reading = None, ConditionReading(None, state.condition.drift)
        return None
    temperature = session.learner.algorithm.objective.temperature
    state.reading = session.ranks.from_first(state.condition.read(sample, temperature), ConditionReading)
    refusal = _refusal(session, state, sample, temperature)
    if refusal is None:
        state.condition.accept(sample, state.reading.drift)
    return refusal


def trust_state(session: Session, snapshot: StateSnapshot | None, weighting: Mapping[str, Any]) -> None:
    """The state that the accepted batch was sampled in: what a refusal of the next update returns to.

    weighting: the reward weights' state before the batch moved them, which no recording of the step wants.
    """
    state = session.refusal
    if state is None or not session.limits.refuse:
        return
    assert snapshot is not None
    snapshot = replace(snapshot, state={**snapshot.state, "weighting": dict(weighting)})
    state.trusted = snapshot
    if state.condition.drift == 0.0 and session.limits.refuse_drift:
        state.anchor, state.since_anchor, state.updated, state.raised = snapshot, 0, 0, 0
    else:
        state.since_anchor += 1
    state.updated += 1


def release_trusted_state(session: Session) -> None:
    """Let go of the state before an update that was accepted, before the next one is copied."""
    if session.refusal is not None:
        session.refusal.trusted = None


def take_updates_back(session: Session, refusal: Refusal) -> None:
    """Put the state before them back, raise ν, and say so in one line."""
    state, counters, limits = _refusal_state(session), session.counters, session.limits
    snapshot = state.trusted if refusal.test == BATCH else state.anchor
    assert snapshot is not None
    session.restore_learner(snapshot.tensors["policy"], snapshot.tensors, snapshot.state)
    session.weighting.load_state_dict(snapshot.state.get("weighting", {}))
    if session.snapshot is not None and _steps_of_snapshot(session.snapshot) > _steps_of_snapshot(snapshot):
        session.snapshot = snapshot  # a rollback would bring back what has just been taken back
    if refusal.test == DRIFT:
        state.condition.forget_newest(state.since_anchor)
        state.since_anchor = 0
    state.updated -= refusal.updates
    state.trusted = None  # the next batch is a second reading of this state: nothing has been updated since
    raises = 1 if refusal.test == BATCH else 1 + state.raised  # the anchor's own ν knows of none of those since
    session.learner.algorithm.step_rule.raise_viscosity(limits.viscosity_factor**raises)
    state.raised += 1
    state.refusals.append(refusal)
    counters.refused += 1
    counters.lost += refusal.updates + 1
    session.tracker.alert("refused", _told(refusal), step=refusal.step + 1)


def judge_final_update(session: Session) -> None:
    """Judge the last update of a run, which no further step would, by a batch that is not learnt from.

    It is the batch that an extended run would begin with: nothing of it is kept unless it refuses the update.
    """
    state = session.refusal
    if state is None or state.trusted is None or not session.limits.refuse:
        return
    cursor, failures = copy.deepcopy(session.cursor.state_dict()), dict(session.grader.counts)
    condition, reading = copy.deepcopy(state.condition), state.reading
    wanted = session.limits.prompts * session.learner.algorithm.sampling.size
    graded = sample_and_grade_batch(session, Stopwatch(), wanted, 0)
    session.cursor.load_state_dict(cursor)
    session.grader.counts.clear()
    session.grader.counts.update(failures)
    refusal = judge_last_update(session, graded)
    if refusal is None:
        state.condition, state.reading = condition, reading
        return
    take_updates_back(session, refusal)
    write_verdict(session)


def refusal_metrics(session: Session) -> dict[str, float]:
    """Refusals so far, and what this batch's tests read."""
    state = session.refusal
    if state is None or not session.limits.refuse:
        return {}
    found = {"stability/refused": float(session.counters.refused)}
    found |= {} if state.reading.z is None else {"stability/free_energy_z": state.reading.z}
    return found | ({"stability/free_energy_drift": state.reading.drift} if session.limits.refuse_drift else {})


def _refusal_state(session: Session) -> RefusalState:
    """What the refusal of updates has seen so far in the session; new at its first update."""
    session.refusal = session.refusal or RefusalState()
    return session.refusal


def _steps_of_snapshot(snapshot: StateSnapshot) -> int:
    """The step at which the snapshot before a refused update was taken."""
    return int(snapshot.state["counters"]["step"])


def _sample_of_draw(graded: GradedBatch) -> FreeEnergySample | None:
    """F of the policy that sampled a batch, by prompts, for the test that may refuse an update."""
    graded = graded.from_prompts()
    rollout = graded.rollout
    surprises = -torch.where(rollout.mask, rollout.logp, 0.0).sum(1)
    return free_energy_sample(
        graded.rewards, surprises, rollout.group, [not verdict.failed for verdict in graded.verdicts]
    )


def _refusal(session: Session, state: RefusalState, sample: FreeEnergySample, temperature: float) -> Refusal | None:
    """The verdict of the two tests: where both refuse, the one that goes back the furthest decides."""
    limits, (z, drift), after = session.limits, state.reading, float(sample.at(temperature).mean())
    if limits.refuse_drift and state.anchor is not None and drift >= limits.refuse_drift:
        earlier = torch.cat([one.at(temperature) for one in state.condition.window])
        found = DRIFT, drift, limits.refuse_drift, float(earlier.mean()), after
        return Refusal(session.counters.step, *found, updates=state.updated)
    if z is None or z < limits.refuse or state.trusted is None or state.condition.last is None:
        return None
    before = float(state.condition.last.at(temperature).mean())
    return Refusal(session.counters.step, BATCH, z, limits.refuse, before, after, updates=1)


def _told(refusal: Refusal) -> str:
    """The message on an update that was taken back."""
    rose = f"F {refusal.before:.3f} → {refusal.after:.3f}"
    if refusal.test == BATCH:
        read = f"z = {refusal.value:.2f}, limit {refusal.threshold:g}"
        return f"{rose} in one update ({read}): the update of step {refusal.step} is taken back, ν raised"
    read = f"CUSUM {refusal.value:.2f}, limit {refusal.threshold:g}"
    taken = f"the updates of {refusal.updates} batches to step {refusal.step} are taken back"
    return f"{rose} slowly ({read}): {taken}, ν raised"
