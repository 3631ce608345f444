"""The plan of the second edition: its sum counts what its presets start, and its rules choose what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.group_size import SHAPES, estimators, predicted_ratio
from benchmarks.harness.record import Row
from benchmarks.second_edition import FIRST
from benchmarks.second_edition_choice import best_rate, falls, leading_rows, runs_below
from tvo_cli import config
from tvo_cli.cli.dry_run import jobs_of_command_line


@pytest.mark.parametrize("sweep", FIRST, ids=lambda sweep: sweep.preset)
def test_the_sum_counts_the_jobs_that_the_preset_starts(sweep: Any) -> None:
    jobs, _ = jobs_of_command_line(["-m", f"experiment={sweep.preset}"])
    assert len(jobs) == sweep.jobs
    given = [dict(map(config.split_override, job)) for job in jobs]
    assert {one["algorithm"] for one in given} <= set(config.choices_of_group("algorithm"))
    assert {int(one["seed"]) for one in given} == set(range(1000, 1010)), "fresh seeds, all ten"
    chosen = config.compose([f"experiment={sweep.preset}", "algorithm=grpo", "output_dir=x"])
    assert int(chosen.trainer.steps) == sweep.batches
    shape = dict(map(config.split_override, sweep.shape.split()))
    assert all(int(chosen.rollout[key.removeprefix("rollout.")]) == int(value) for key, value in shape.items())


def test_a_fall_is_four_standard_errors_of_the_difference() -> None:
    assert falls([0.9, 0.15, 0.2, 0.91], 128) == 1
    assert falls([0.5, 0.26], 128) == 0 and falls([0.5, 0.24], 128) == 1, "4 · √(2 · 0.375 · 0.625 / 128) = 0.242"
    assert falls([1.0, 0.9], 128) == 0 and falls([0.0, 0.0, 1.0, 1.0], 128) == 0


def run_of(root: Path, algorithm: str, rate: float, seed: int, final: float) -> None:
    folder = root / f"{algorithm}-{rate:g}-{seed}"
    folder.mkdir(parents=True)
    settings = {"algorithm": {"name": algorithm}, "optimizer": {"lr": rate}, "seed": seed}
    settings |= {"rollout": {"prompts": 64, "samples": 2}}
    (folder / "config.yaml").write_text(json.dumps(settings))
    (folder / "summary.json").write_text(json.dumps({"evaluation": {"eval/pass@1": final}}))
    rows = [{"accuracy/fresh": share, "policy/entropy": 0.5} for share in (0.9, 0.1, final)]
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))


def test_rows_lead_by_their_best_rate_and_keep_what_makes_them_a_row(tmp_path: Path) -> None:
    for seed, shift in ((0, 0.01), (1, -0.01)):
        run_of(tmp_path / "own", "grpo", 1e-3, seed, 0.5 + shift)
        run_of(tmp_path / "own", "grpo", 1e-4, seed, 0.8 + shift)
        run_of(tmp_path / "own", "tvo", 1e-3, seed, 0.7 + shift)
        run_of(tmp_path / "four", "grpo", 1e-4, seed, 0.9 + shift)
    runs = [*runs_below(tmp_path / "own"), *runs_below(tmp_path / "four", "rollout.epochs=4")]
    assert leading_rows(runs, 2) == ["grpo rollout.epochs=4", "grpo"]
    assert best_rate(runs, "grpo") == 1e-4 and best_rate(runs, "tvo") == 1e-3
    assert all(run["falls"] == 1 for run in runs)


class Readings:
    """What a table reads of a record."""

    def __init__(self, rows: list[Row]) -> None:
        self.found = rows

    def rows(self, table: str) -> list[Row]:
        return self.found


def record_of(stage: int, quenched: float, thermal: float) -> Any:
    """Two measurements of each shape about tr Cov = (B·G + W)/N."""
    return Readings(
        [
            {
                "stage": stage,
                "shape": shape,
                "baseline": "others",
                "trace": (quenched * samples + thermal) * noise / 128,
            }
            for shape, (_, samples) in SHAPES.items()
            for noise in (0.9, 1.1)
        ]
    )


def test_b_and_w_of_two_shapes_predict_the_third() -> None:
    record = record_of(10, quenched=2.0, thermal=10.0)
    assert predicted_ratio(record, 10, 2) == pytest.approx(14 / 12)
    assert predicted_ratio(record, 10, 8) == pytest.approx(26 / 12)
    assert predicted_ratio(record, 10, 1) == pytest.approx(1.0)


def test_every_estimator_draws_as_many_rollouts() -> None:
    assert ("128 × 1", "shrunk") not in estimators(), "with one response a prompt the two baselines are one"
    assert {prompts * samples for prompts, samples in SHAPES.values()} == {128}
