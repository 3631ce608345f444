"""The training loop: sample, grade, estimate advantages, update, measure, watch, record, evaluate, checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

from tvo_cli.errors import UserError
from tvo_cli.evaluation.test_sets import EvaluatedTestSets, TestSet, evaluate_test_sets
from tvo_cli.stability import CollapseAction
from tvo_cli.training import (
    collapse_response,
    counters,
    flight_recorder,
    refused_updates,
    replayed_updates,
    samples_log,
    step_profiler,
    stop_signals,
)
from tvo_cli.training.metrics.optional_readings import support_readings
from tvo_cli.training.metrics.peak_memory import peak_memory_metrics
from tvo_cli.training.metrics.step_metrics import measure_step
from tvo_cli.training.resume import session_checkpoint
from tvo_cli.training.resume.save_on_user_error import saved_on_user_error
from tvo_cli.training.reward_terms.reward_term_values import reward_heldout_responses
from tvo_cli.training.rollout_collection.assemble_batch import assemble_batch
from tvo_cli.training.rollout_collection.collect_rollouts import sample_batch
from tvo_cli.training.rollout_collection.hold_weights import hold_weights
from tvo_cli.training.run_over import is_run_over
from tvo_cli.training.same_state import check_same_state
from tvo_cli.training.session import Session
from tvo_cli.training.step_state import StepInProgress
from tvo_cli.training.stop_signals import StopRequest, handle_stop_signals
from tvo_cli.training.stopwatch import Stopwatch
from tvo_cli.training.update.next_token_loss import with_next_token_demonstrations, with_next_token_loss
from tvo_cli.training.update.policy_update import adapt_after_batch, remaining_minibatches_of_update, update_policy


def train(session: Session) -> EvaluatedTestSets | None:
    """Run to the last step, or until a rule or a signal stops it. The last evaluation, if any was asked for.

    A run that a rule has stopped is over: resumed, it is only evaluated. A signal while the last evaluation
    runs changes nothing, for the run is complete after it.
    """
    evaluation = None
    step_profiler.warn_of_steps_never_profiled(session)
    with handle_stop_signals(session.folder, session.tracker.announce) as interrupted:
        if _is_loop_at_start(session) and session.limits.evaluate_at_start:
            with saved_on_user_error(session):
                evaluation = _evaluate(session, session.test_sets)
            _stop_if_requested(session, interrupted)
        while not is_run_over(session):
            begun = session.counters.step
            with saved_on_user_error(session), step_profiler.profiled_if_asked(session):
                train_step(session, interrupted)
            if session.counters.step == begun:  # it was rolled back before it could sample
                continue
            if is_run_over(session):
                refused_updates.judge_final_update(session)
            else:
                due = [one for one in session.test_sets if _is_due(session.counters.step, one.every)]
                with saved_on_user_error(session):  # of a scorer or reward function of the user's
                    evaluation = _evaluate_or_roll_back(session, due) or evaluation
            if _is_due(session.counters.step, session.limits.checkpoint_every) and not is_run_over(session):
                session_checkpoint.save_session_if_possible(session)
            _stop_if_requested(session, interrupted)
            if is_run_over(session):
                session_checkpoint.save_session(session)
        with saved_on_user_error(session):
            return _final_evaluation(session) or evaluation


def train_step(session: Session, interrupted: StopRequest) -> CollapseAction:
    """One rollout batch, or the rest of one; stops, saved, before the next update when somebody asks."""
    try:
        work = session.work = session.work or start_step(session)
    except UserError as error:
        step = session.counters.step + 1
        collapse_response.outlive_non_finite_logits(session, error, step, f"step {step}")
        return CollapseAction.ROLLBACK
    if not work.refused:
        _take_updates(session, work, interrupted)
    return finish_step(session, work)


def _take_updates(session: Session, work: StepInProgress, interrupted: StopRequest) -> None:
    factor = session.learner.schedule(session.counters.step, session.limits.steps)
    for minibatch in remaining_minibatches_of_update(
        session.learner, work, session.passes, seed=session.seed, step=session.counters.step, steps=session.limits.steps
    ):
        session.ranks.at(session.counters.step + 1, work.position + 1)
        _stop_if_requested(session, interrupted)
        with work.clock("update"):
            if not update_policy(session.learner, work, minibatch, session.passes, factor, session.counters):
                break
    for minibatch in replayed_updates.remaining_replayed_minibatches(
        session.learner, work, session.passes, seed=session.seed, step=session.counters.step
    ):
        session.ranks.at(session.counters.step + 1, work.position + 1)
        _stop_if_requested(session, interrupted)
        with work.clock("update"):
            replayed_updates.update_by_replay(
                session.learner, work, minibatch, session.passes, factor, session.counters
            )


def start_step(session: Session) -> StepInProgress:
    """Start a step: a graded rollout batch with advantages, and a snapshot of the state it was sampled in.

    Unless the batch shows that the update before it did harm: then the state before that update comes back.
    """
    clock = Stopwatch()
    session.ranks.at(session.counters.step + 1, 0)
    drawn = sample_batch(session, clock)
    refusal = refused_updates.judge_last_update(session, drawn.draws[0])
    with clock("scoring"):
        batch = assemble_batch(session, drawn)
        if refusal is not None:
            refused_updates.take_updates_back(session, refusal)
            return StepInProgress(batch, clock, refused=True)
        weighting = session.weighting.state_dict()
        batch = with_next_token_demonstrations(session, session.weighting.weighted(session, batch))
    refused_updates.release_trusted_state(session)
    due = collapse_response.is_snapshot_due_for_response(session)
    before = session.take_snapshot(weighting) if due else None
    refused_updates.trust_state(session, before, weighting)
    return StepInProgress(batch, clock, before=before, replayed=replayed_updates.draw_kept_responses(session))


def finish_step(session: Session, work: StepInProgress) -> CollapseAction:
    """Finish a step: its metrics, what adapts from batch to batch, collapse rules, and a row of metrics.jsonl."""
    metrics = measure_step(session, work) | refused_updates.refusal_metrics(session)
    if not work.refused:
        finite = adapt_after_batch(session.learner, with_next_token_loss(work))
        replayed_updates.keep_good_responses(session, work, finite=finite)
    own = work.clock.metrics(work.batch.drawn.tokens) | peak_memory_metrics(session.learner.runtime.device)
    metrics |= session.ranks.from_first(own, dict[str, float])  # a rule that watches one decides the same everywhere
    counters.advance_counters(session, work, metrics)
    begun = [] if work.refused else collapse_response.watch_for_collapse(session, metrics)
    flight_recorder.record_step(session, work, metrics, begun)
    action = collapse_response.respond_to_collapse(session, work, metrics)
    check_same_state(session)
    session.tracker.log(session.counters.step, metrics)
    samples_log.log_sampled_responses(session, work.batch)
    session.work = None
    return action


def _evaluate(session: Session, test_sets: Sequence[TestSet]) -> EvaluatedTestSets | None:
    """Evaluate the session's policy on the test sets, with the weights of now."""
    if not test_sets:
        return None
    hold_weights(session, Stopwatch())
    with session.learner.autocast():
        evaluation = evaluate_test_sets(test_sets, session.learner.policy, session.ranks)
    rewards = reward_heldout_responses(session, test_sets, evaluation)
    support = support_readings(session, evaluation)
    session.tracker.log_evaluation(session.counters.step, evaluation.metrics() | rewards | support)
    collapse_response.watch_evaluation(session, evaluation.metrics())
    samples_log.log_evaluation_responses(session, evaluation)
    return evaluation


def _evaluate_or_roll_back(session: Session, due: Sequence[TestSet]) -> EvaluatedTestSets | None:
    """Evaluate a policy of a run that goes on; without a result where nothing could be sampled from it."""
    try:
        return _evaluate(session, due)
    except UserError as error:
        step = session.counters.step
        collapse_response.outlive_non_finite_logits(session, error, step, f"the evaluation after step {step}")
        return None


def _final_evaluation(session: Session) -> EvaluatedTestSets | None:
    evaluation = _evaluate(session, session.test_sets)
    if evaluation is not None:
        session_checkpoint.save_session_if_possible(session)  # the last checkpoint, with the score that it has now
    return evaluation


def _stop_if_requested(session: Session, interrupted: StopRequest) -> None:
    """Save and raise Interrupted if a signal has requested a stop of any rank: all do so before the same update."""
    if number := session.ranks.largest(interrupted.number):
        raise stop_signals.Interrupted(session_checkpoint.save_session(session), number)


def _is_due(step: int, every: int) -> bool:
    """Whether the loop does something after this step that it does every so many."""
    return every > 0 and step % every == 0


def _is_loop_at_start(session: Session) -> bool:
    return session.counters.step == 0 and session.work is None
