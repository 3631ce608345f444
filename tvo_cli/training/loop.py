"""Training, as a sentence: sample, grade, estimate, update, measure, watch, record, evaluate, checkpoint."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tvo_cli.evaluation import Evaluation
from tvo_cli.stability import Action
from tvo_cli.training import keeping
from tvo_cli.training.experience import assemble, draw
from tvo_cli.training.measure import measure
from tvo_cli.training.session import Session
from tvo_cli.training.stopwatch import Stopwatch
from tvo_cli.training.update import end_batch, update


def train(session: Session) -> Evaluation | None:
    """Run to the last step, or until a rule or a signal stops it. The last evaluation, if any was asked for."""
    evaluation = _evaluate(session) if session.counters.step == 0 and session.limits.evaluate_at_start else None
    with _interruptible() as interrupted:
        while session.counters.step < session.limits.steps:
            action = advance(session)
            if _due(session.counters.step, session.limits.evaluate_every) and not _last(session):
                evaluation = _evaluate(session)
            if _due(session.counters.step, session.limits.checkpoint_every) or _last(session):
                keeping.save(session)
            if interrupted.is_set():
                raise keeping.Interrupted(keeping.save(session))
            if action is Action.STOP:
                keeping.save(session)
                break
    return _evaluate(session) if session.heldout is not None else evaluation


def advance(session: Session) -> Action:
    """One rollout batch: everything that happens to it, and what the collapse rules make of it."""
    clock, step = Stopwatch(), session.counters.step
    photo = session.photograph() if _due(step, session.limits.snapshot_every) else None
    drawn = draw(session, clock)
    with clock("scoring"):
        batch = assemble(session, drawn)
    with clock("update"):
        report = update(
            session.learner, batch, session.passes, seed=session.seed, step=step, steps=session.limits.steps
        )
    metrics = measure(session, batch, report)
    end_batch(session.learner, batch)
    metrics |= clock.metrics(drawn.tokens)
    keeping.count(session, batch, report, metrics)
    action = keeping.watch(session, metrics, photo)
    session.tracker.log(session.counters.step, metrics)
    keeping.remember_responses(session, batch)
    return action


def _evaluate(session: Session) -> Evaluation | None:
    if session.heldout is None:
        return None
    with session.learner.autocast():
        evaluation = session.heldout(session.learner.policy)
    session.tracker.log_evaluation(session.counters.step, evaluation.metrics())
    keeping.remember_evaluation(session, evaluation)
    return evaluation


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _last(session: Session) -> bool:
    return session.counters.step >= session.limits.steps


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """SIGTERM, SIGUSR1 and the first Ctrl-C ask for a stop after this step; a second Ctrl-C stops at once."""
    asked = threading.Event()

    def ask(signum: int, frame: FrameType | None) -> None:
        if asked.is_set() and signum == signal.SIGINT:
            raise KeyboardInterrupt
        asked.set()

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    before = {number: signal.signal(number, ask) for number in signals}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
