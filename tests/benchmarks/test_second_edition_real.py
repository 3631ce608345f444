"""The second edition on a pretrained model: what is started, in which order, and that the sum counts it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from benchmarks import second_edition_real
from benchmarks.harness.benchmark import Unfinished
from benchmarks.second_edition_real import SEEDS, SWEEPS, Chosen, measure
from tvo_cli import config
from tvo_cli.cli.dry_run import jobs_of_command_line


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The words of each sweep, none of which is run."""
    found: list[list[str]] = []
    monkeypatch.setattr(second_edition_real, "sweep_one_seed", lambda words, program, what: found.append(list(words)))
    monkeypatch.setattr(second_edition_real, "runs_below", lambda folder, more: [])
    return found


@pytest.mark.slow  # six command lines are composed
def test_the_sum_comes_first_and_then_all_four_rows_at_a_seed(started: list[list[str]]) -> None:
    plan, *pending = measure(Chosen())
    assert plan.table == "plan" and [one.key["seed"] for one in pending] == [seed for seed in SEEDS for _ in SWEEPS]
    for one in pending:
        one.measure()
    jobs = [
        dict(map(config.split_override, job)) for words in started for job in jobs_of_command_line(["-m", *words])[0]
    ]
    assert len(jobs) == sum(sweep.jobs for sweep in SWEEPS) == 12
    assert set(Counter((job["algorithm"], job["seed"]) for job in jobs).values()) == {1}
    assert {job["algorithm"] for job in jobs} == {"grpo", "tvo_2025", "tvo", "grpo_shrunk_cv_one_response"}
    assert len({words[-1] for words in started}) == len(started), "a folder each"


@pytest.mark.slow
@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda sweep: sweep.preset)
def test_the_preset_has_the_batches_that_the_sum_counts(sweep: Any) -> None:
    chosen = config.compose([f"experiment={sweep.preset}", "algorithm=grpo_shrunk_cv_one_response", "output_dir=x"])
    assert int(chosen.trainer.steps) == sweep.batches
    assert int(chosen.rollout.prompts) * int(chosen.rollout.samples) == 32


def test_the_plan_alone_starts_nothing(started: list[list[str]]) -> None:
    pending = measure(Chosen(plan_only=True))
    assert next(pending).table == "plan"
    with pytest.raises(Unfinished, match="the plan alone"):
        next(pending)
    assert started == []
