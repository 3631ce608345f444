"""Completions are graded and written as they come: what a kill leaves is there, and is not asked again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.evaluation.conftest import Parrot, run
from tests.evaluation.test_tiny_model import completions
from tvo_cli.evaluation import generate_and_grade
from tvo_cli.rollout.decoding import continuous_batching, token_sampling

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from tvo_cli.evaluation.generate_and_grade import EvaluatorProgress
    from tvo_cli.rollout.decoding.token_sampling import SamplingParams
    from tvo_cli.rollout.engines.engine import Completion, ReportCompletion


class Reporting(Parrot):
    """Reports each completion when it is over, the last prompt's first; `before` is called ahead of each."""

    def __init__(self, golds: dict[str, str], before: Callable[[int], object]) -> None:
        super().__init__(golds)
        self.before = before

    def __call__(
        self,
        prompts: Sequence[str],
        keys: Sequence[str],
        sampling: SamplingParams,
        seed: int,
        report: ReportCompletion | None = None,
    ) -> list[list[Completion]]:
        drawn = super().__call__(prompts, keys, sampling, seed)
        assert report is not None
        for number, prompt in enumerate(reversed(range(len(keys)))):
            self.before(number)
            for sample, completion in enumerate(drawn[prompt]):
                report(prompt, sample, completion)
        return drawn


def rows_in(folder: Path) -> list[dict[str, Any]]:
    path = folder / "responses.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def test_completions_are_on_disk_while_others_are_generated(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate_and_grade, "FLUSH_SECONDS", 0.0)
    seen: list[int] = []
    steps: list[EvaluatorProgress] = []
    engine = Reporting(golds, before=lambda number: seen.append(len(rows_in(tmp_path / "run"))))
    run(asked("rollout.batch_size=24"), engine, steps=steps)
    assert engine.asked == [tuple(f"p{i}" for i in range(6))], "one batch"
    assert seen == [0, 4, 8, 12, 16, 20]
    assert [step.done for step in steps] == list(range(1, 25)) and steps[-1].total == 24
    assert len(rows_in(tmp_path / "run")) == 24, "none twice"


def test_what_had_come_is_written_when_a_batch_is_interrupted(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path
) -> None:
    def interrupt(number: int) -> None:
        if number == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(asked("rollout.batch_size=24"), Reporting(golds, before=interrupt))
    assert {row["id"] for row in rows_in(tmp_path / "run")} == {"p2", "p3", "p4", "p5"}
    again = Parrot(golds)
    run(asked("rollout.batch_size=24"), again)
    assert again.asked == [("p0", "p1")]


def test_the_time_of_a_batch_is_shared_out_among_its_completions(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr("tvo_cli.evaluation.generate_and_grade.time.perf_counter", lambda: float(next(clock)))
    run(asked("rollout.batch_size=24"), Reporting(golds, before=lambda number: None))
    rows = rows_in(tmp_path / "run")
    assert all(row["seconds"] > 0 for row in rows)
    assert sum(row["seconds"] for row in rows) == pytest.approx(next(clock) - 2, abs=1.0)


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [10, 14])
def test_a_killed_evaluation_of_the_embedded_model_keeps_what_was_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    """In the middle of the only batch; what is there are the completions of an undisturbed evaluation."""
    words = ("decoding.greedy=false", "evaluation.suites.arithmetic.dataset.operations=[1,3]")
    whole = completions(tmp_path / "whole", *words)[1]
    sample, left = token_sampling.sample_token, [stop_at]

    def until(*given: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return sample(*given)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(continuous_batching, "sample_token", until)
        completions(tmp_path / "run", *words)
    kept = {(row["id"], row["decoding"], row["sample"]): row["completion"] for row in rows_in(tmp_path / "run")}
    assert 0 < len(kept) < len(whole)
    assert kept.items() <= whole.items()
    assert completions(tmp_path / "run", *words)[1] == whole


def test_an_engine_whose_rows_join_is_given_several_batches_at_once(
    asked: Callable[..., DictConfig], golds: dict[str, str]
) -> None:
    engine = Parrot(golds)
    engine.batches_at_once = 2
    run(asked("rollout.batch_size=8"), engine)
    assert [len(prompts) for prompts in engine.asked] == [4, 2], "four samples each"


@pytest.mark.slow
def test_the_embedded_model_is_given_a_queue_and_its_few_slots_cannot_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("decoding.greedy=false", "evaluation.suites.arithmetic.dataset.operations=[1,3]")
    whole = completions(tmp_path / "whole", *words)[1]
    joined, admit = list[int](), continuous_batching.ContinuousBatching._admit

    def admitting(self: Any, batch: Any, count: int, steps: int) -> None:
        joined.append(count)
        admit(self, batch, count, steps)

    monkeypatch.setattr(continuous_batching.ContinuousBatching, "_admit", admitting)
    assert completions(tmp_path / "run", *words, "rollout.batch_size=8")[1] == whole
    assert joined


def test_the_rows_end_in_the_order_of_the_problems_whatever_came_first(
    asked: Callable[..., DictConfig], golds: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate_and_grade, "FLUSH_SECONDS", 0.0)
    run(asked(), Reporting(golds, before=lambda number: None))
    found = [(row["id"], row["sample"]) for row in rows_in(tmp_path / "run")]
    assert found == [(f"p{i}", sample) for i in range(6) for sample in range(4)]
