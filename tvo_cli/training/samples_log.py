"""responses/: sampled responses of a few steps and of every evaluation, written for people to read."""

from __future__ import annotations

from tvo_cli.checkpoint import store
from tvo_cli.evaluation.test_sets import RunEvaluation
from tvo_cli.tracking.atomic_files import write_json_lines_atomically
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.collapse_response import is_run_stopped
from tvo_cli.training.session import Session

ROWS = 16  # a step, of the steps that are kept
EVERY = 10


def log_sampled_responses(session: Session, batch: RolloutBatch) -> None:
    """A few responses of the first step, of every tenth and of the last, with verdicts, for a reader's eyes."""
    step = session.counters.step
    last = step >= session.limits.steps or is_run_stopped(session)
    if not session.ranks.is_first or (step != 1 and step % EVERY and not last):
        return
    lengths = batch.rollout.mask.sum(1).tolist()
    rows = [
        {
            "id": batch.problems[p].id,
            "question": batch.problems[p].question,
            "gold": batch.problems[p].answer,
            "completion": batch.rollout.texts[row],
            "extracted": batch.verdicts[row].extracted,
            "correct": batch.verdicts[row].correct,
            "reason": batch.verdicts[row].reason,
            "reward": float(batch.experience.rewards[row]),
            "tokens": lengths[row],
        }
        for row, p in enumerate(batch.rollout.group.tolist()[:ROWS])
    ]
    write_json_lines_atomically(session.folder / "responses" / f"{store.checkpoint_name(step)}.jsonl", rows)


def log_evaluation_responses(session: Session, evaluation: RunEvaluation) -> None:
    """Every completion of an evaluation, and its pass@1 as the score of the policy where checkpoints go by it."""
    score = evaluation.score(session.limits.best)
    if session.limits.scored_by_evaluation and score is not None:
        session.counters.score = score
    if not session.ranks.is_first:
        return
    name = f"evaluation-{store.checkpoint_name(session.counters.step)}.jsonl"
    write_json_lines_atomically(session.folder / "responses" / name, evaluation.records)
