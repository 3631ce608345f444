"""Training, as a sentence: sample, grade, estimate, update, measure, watch, record, evaluate, checkpoint."""

from __future__ import annotations

from tvo_cli.evaluation import Evaluation
from tvo_cli.stability import Action
from tvo_cli.training import collapse_response, counters, flight_recorder, samples_log, saving
from tvo_cli.training.graded_batch import assemble, draw
from tvo_cli.training.session import Session
from tvo_cli.training.step_metrics import measure
from tvo_cli.training.step_state import Work
from tvo_cli.training.stop_signals import StopRequest, interruptible
from tvo_cli.training.stopwatch import Stopwatch
from tvo_cli.training.update import end_batch, remaining, take


def train(session: Session) -> Evaluation | None:
    """Run to the last step, or until a rule or a signal stops it. The last evaluation, if any was asked for.

    A run that a rule has stopped is over: gone on with, it is only evaluated. A signal while the last evaluation
    runs changes nothing, for the run is complete after it.
    """
    evaluation = None
    with interruptible(session.tracker.announce) as interrupted:
        if _at_the_start(session) and session.limits.evaluate_at_start:
            evaluation = _evaluate(session)
            _stop_if_requested(session, interrupted)
        while not _is_over(session):
            train_step(session, interrupted)
            if _due(session.counters.step, session.limits.evaluate_every) and not _is_over(session):
                evaluation = _evaluate(session)
            if _due(session.counters.step, session.limits.checkpoint_every) and not _is_over(session):
                saving.save_if_possible(session)
            _stop_if_requested(session, interrupted)
            if _is_over(session):
                saving.save(session)
        return _final_evaluation(session) or evaluation


def train_step(session: Session, interrupted: StopRequest) -> Action:
    """One rollout batch, or the rest of one; stops, saved, before the next update when somebody asks."""
    work = session.work = session.work or start_step(session)
    factor = session.learner.schedule(session.counters.step, session.limits.steps)
    for minibatch in remaining(
        session.learner, work, session.passes, seed=session.seed, step=session.counters.step, steps=session.limits.steps
    ):
        _stop_if_requested(session, interrupted)
        with work.clock("update"):
            if not take(session.learner, work, minibatch, session.passes, factor):
                break
    return finish_step(session, work)


def start_step(session: Session) -> Work:
    """The on-policy half of a step: a graded rollout batch with advantages, and the state it was drawn in."""
    clock = Stopwatch()
    drawn = draw(session, clock)
    with clock("scoring"):
        batch = assemble(session, drawn)
    return Work(batch, clock, before=session.take_snapshot() if collapse_response.is_snapshot_due(session) else None)


def finish_step(session: Session, work: Work) -> Action:
    """What a used-up batch tells: readings, adapted pieces, collapse rules, and a row of metrics."""
    metrics = measure(session, work.batch, work.report)
    end_batch(session.learner, work.batch)
    metrics |= work.clock.metrics(work.batch.drawn.tokens)
    counters.count(session, work, metrics)
    begun = collapse_response.watch(session, metrics)
    flight_recorder.record(session, work, metrics, begun)
    action = collapse_response.act(session, work, metrics)
    session.tracker.log(session.counters.step, metrics)
    samples_log.write_responses(session, work.batch)
    session.work = None
    return action


def _evaluate(session: Session) -> Evaluation | None:
    if session.heldout is None:
        return None
    with session.learner.autocast():
        evaluation = session.heldout(session.learner.policy)
    session.tracker.log_evaluation(session.counters.step, evaluation.metrics())
    samples_log.write_evaluation(session, evaluation)
    return evaluation


def _final_evaluation(session: Session) -> Evaluation | None:
    evaluation = _evaluate(session)
    if evaluation is not None:
        saving.save_if_possible(session)  # the last checkpoint, with the score that it has now
    return evaluation


def _stop_if_requested(session: Session, interrupted: StopRequest) -> None:
    """Save and leave, if somebody has asked for it."""
    if interrupted.is_set():
        raise saving.Interrupted(saving.save(session), interrupted.number)


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _at_the_start(session: Session) -> bool:
    return session.counters.step == 0 and session.work is None


def _is_over(session: Session) -> bool:
    """Whether no further batch is drawn: the last step is done, or something has stopped the run."""
    return session.counters.step >= session.limits.steps or collapse_response.is_stopped(session)
