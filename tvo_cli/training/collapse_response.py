"""What a run does when a collapse rule fires: alert, roll back, stop."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tvo_cli.errors import UserError
from tvo_cli.rollout.non_finite_logits import is_of_non_finite_logits
from tvo_cli.stability import CollapseAction
from tvo_cli.stability.rule_interface import RuleFiring
from tvo_cli.training import flight_recorder
from tvo_cli.training.collapse_verdict import write_verdict
from tvo_cli.training.metrics.free_energy_metrics import PROMISED
from tvo_cli.training.refusal_state import RefusalState
from tvo_cli.training.run_over import is_run_over
from tvo_cli.training.session import WEIGHTING_BEFORE, Session
from tvo_cli.training.step_state import StepInProgress

BETWEEN_BATCHES = ("energy", "entropy", PROMISED, "gradient/norm_last")  # of session.previous
NONFINITE = "nonfinite_limit"  # in collapse.json, the name of the setting that stopped the run


def is_snapshot_due_for_response(session: Session) -> bool:
    """Whether a rollback, a refusal or the flight recorder needs a snapshot of the state before the next update."""
    every = session.limits.snapshot_every
    rolls_back = every > 0 and session.counters.step % every == 0
    return rolls_back or session.limits.refuse > 0 or flight_recorder.must_hold_state(session)


def watch_for_collapse(session: Session, metrics: dict[str, float]) -> list[str]:
    """Show the step to the collapse rules and alert; the rules of a collapse that began here."""
    firings = session.watch.observe(session.counters.step, metrics)
    _alert(session, firings)
    return [firing.rule for firing in firings if firing.severity == "collapse"]


def watch_evaluation(session: Session, metrics: dict[str, float]) -> None:
    """Show an evaluation to the rules that read one, and alert; a run that goes on responds as it does to a step."""
    firings = session.watch.observe_evaluation(session.counters.step, metrics)
    _alert(session, firings)
    if not firings:
        return
    if session.watch.decide() is CollapseAction.ROLLBACK and not is_run_over(session):
        _roll_back_to_snapshot(session)
    write_verdict(session)


def _alert(session: Session, firings: Sequence[RuleFiring]) -> None:
    """Alert people of each rule that has fired."""
    for firing in firings:
        session.tracker.alert(firing.rule, firing.message, step=firing.step, severity=firing.severity)


def respond_to_collapse(session: Session, work: StepInProgress, metrics: dict[str, float]) -> CollapseAction:
    """Roll back or stop as the rules decide; a refused batch, whose policy is no more, decides nothing.

    The readings judge the policy that sampled, so the state before the update is what a healthy step confirms.
    """
    if work.refused:
        metrics["stability/rollbacks"] = float(session.counters.rollbacks)
        write_verdict(session)
        return CollapseAction.NONE
    every = session.limits.snapshot_every
    if session.counters.skipped_in_a_row >= session.limits.nonfinite_limit:
        _respond_to_skipped_updates(session)
    if every and (session.counters.step - 1) % every == 0 and session.watch.healthy:
        session.snapshot = work.before
    action = session.watch.decide()
    if action is CollapseAction.ROLLBACK:
        action = _roll_back_to_snapshot(session)
    metrics["stability/rollbacks"] = float(session.counters.rollbacks)
    write_verdict(session)
    return action


def _respond_to_skipped_updates(session: Session) -> None:
    """The updates of the last batches were left out one after the other: nothing is learnt any more."""
    counters, limit = session.counters, session.limits.nonfinite_limit
    message = f"{counters.skipped_in_a_row} updates skipped in a row"
    session.tracker.alert("nonfinite", message, step=counters.step, severity="collapse")
    found = float(counters.skipped_in_a_row), float(limit)
    session.watch.halt(RuleFiring(NONFINITE, counters.step, "optimizer/skipped", *found, "collapse", message))


def outlive_non_finite_logits(session: Session, error: UserError, step: int, place: str) -> None:
    """Roll back from a policy that nothing can be sampled from, where the run responds so to a collapse.

    Raises:
        UserError: the error itself; with its place, where it is of such logits and there is no rollback.
    """
    if not is_of_non_finite_logits(error):
        raise error
    problem = f"{place}: {error.problem.replace(f' {session.counters.step}/', ' ')}"
    firing = RuleFiring(error.key, step, error.key, math.nan, 0.0, "collapse", problem)
    _alert(session, [firing])
    action = session.watch.observe_collapse(firing)
    if action is CollapseAction.ROLLBACK:
        action = _roll_back_to_snapshot(session, step)
    write_verdict(session)
    if action is not CollapseAction.ROLLBACK:
        raise UserError(error.key, error.value, problem, error.remedy) from error


def _roll_back_to_snapshot(session: Session, step: int | None = None) -> CollapseAction:
    """Put the last healthy weights, optimiser, algorithm state and reward weights back, and raise the viscosity.

    `step`: that of the collapse; None: the last one done.
    """
    if session.snapshot is None:
        told = "no healthy state to return to but the start (model.path as it was loaded); the run stops"
        session.tracker.alert("rollback", told, step=session.counters.step, severity="collapse")
        session.watch.halt()
        return CollapseAction.STOP
    tensors, state = session.snapshot.tensors, session.snapshot.state
    session.restore_learner(tensors["policy"], tensors, state)
    session.weighting.load_state_dict(state.get(WEIGHTING_BEFORE, state.get("weighting", {})))
    counters = session.counters
    counters.rollbacks += 1
    raises = counters.rollbacks + counters.refused - state["counters"]["refused"]  # its ν knows none of those since
    session.learner.algorithm.step_rule.raise_viscosity(session.limits.viscosity_factor**raises)
    session.watch.rolled_back(counters.step if step is None else step)
    if session.refusal is not None:  # its samples are those of policies after this one
        session.refusal = RefusalState(refusals=session.refusal.refusals)
    for reading in BETWEEN_BATCHES:  # the next batch's is of another policy than the one that was undone
        session.previous.pop(reading, None)
    told = f"restored the policy of step {state['counters']['step']}; viscosity raised"
    session.tracker.alert("rollback", told, step=counters.step, severity="collapse")
    return CollapseAction.ROLLBACK
