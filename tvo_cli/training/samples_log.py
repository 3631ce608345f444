"""responses/: sampled responses of some steps and of every evaluation, written for people to read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.evaluation.test_sets import EvaluatedTestSets
from tvo_cli.tracking.atomic_files import write_json_lines_atomically
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.run_over import is_run_stopped
from tvo_cli.training.session import Session

ROWS = 16  # a step
EVERY = 10
NEWEST = 3  # steps whose responses are there in any case
AROUND = NEWEST - 1  # steps before and after a first firing whose responses stay


def log_sampled_responses(session: Session, batch: RolloutBatch) -> None:
    """Write the first responses of a step with their verdicts, and remove those of a step that nobody asks for.

    What stays: the first step, every tenth, the newest three, and what lies around the first firing of a rule. The
    mirrors are shown the steps that stay for good.
    """
    if not session.ranks.is_first:
        return
    step, firings = session.counters.step, session.watch.first_firings()
    rows = _rows_of_batch(batch)
    write_json_lines_atomically(_samples_file_of_step(session, step), rows)
    if step >= session.limits.steps or is_run_stopped(session) or are_responses_kept(step, firings):
        session.tracker.log_completions(step, rows)
    if not are_responses_kept(step - NEWEST, firings):
        _samples_file_of_step(session, step - NEWEST).unlink(missing_ok=True)


def are_responses_kept(step: int, firings: Iterable[int]) -> bool:
    """Whether the responses of a step stay when newer ones are there."""
    return step == 1 or step % EVERY == 0 or any(abs(step - one) <= AROUND for one in firings)


def _samples_file_of_step(session: Session, step: int) -> Path:
    return session.folder / "responses" / f"{checkpoint_folders.checkpoint_name(step)}.jsonl"


def _rows_of_batch(batch: RolloutBatch) -> list[dict[str, object]]:
    """The first ROWS responses of a batch: its problems in the order drawn, all the responses of each."""
    chosen = batch.drawn.chosen
    lengths, components = chosen.rollout.mask.sum(1).tolist(), chosen.components
    return [
        {
            "id": batch.problems[p].id,
            "question": batch.problems[p].question,
            "gold": batch.problems[p].answer,
            "completion": chosen.rollout.texts[row],
            "extracted": chosen.verdicts[row].extracted,
            "correct": chosen.verdicts[row].correct,
            "reason": chosen.verdicts[row].reason,
            "reward": float(batch.experience.rewards[row]),
            "tokens": lengths[row],
        }
        | ({"rewards": {name: said.values[row] for name, said in components.items()}} if components else {})
        for row, p in enumerate(chosen.rollout.group.tolist()[:ROWS])
    ]


def log_evaluation_responses(session: Session, evaluation: EvaluatedTestSets) -> None:
    """Every completion of an evaluation, and its pass@1 as the score of the policy where checkpoints go by it."""
    score = evaluation.score(session.limits.best)
    if session.limits.scored_by_evaluation and score is not None:
        session.counters.score = score
    if not session.ranks.is_first:
        return
    name = f"evaluation-{checkpoint_folders.checkpoint_name(session.counters.step)}.jsonl"
    write_json_lines_atomically(session.folder / "responses" / name, evaluation.records)
