"""Values of an arm: equal ones have a mean and no interval."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.comparison.conftest import column, made, table, write_run
from tvo_cli.comparison.analysis.metric_choice import MetricChoice
from tvo_cli.comparison.analysis.run_values import final_value, mean_of_known_values
from tvo_cli.runs.gather import gather_runs


@pytest.mark.parametrize("values", [[0.417, 0.417], [0.0, 0.0, None, 0.0], [53760.0] * 5])
def test_equal_values_say_nothing_of_other_seeds(values: list[float | None]) -> None:
    found = mean_of_known_values(values, 0.95)
    assert found.mean == values[0] and math.isnan(found.low) and math.isnan(found.high)


def test_others_have_an_interval() -> None:
    found = mean_of_known_values([0.4, 0.5], 0.95)
    assert found.low < 0.45 < found.high


def add_evaluation(folder: Path, value: float | str) -> None:
    """One more evaluation at a run's end."""
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": 5, "eval/pass@1": value}) + "\n")


def test_a_run_whose_last_evaluation_is_not_finite_counts_as_failed_and_is_named(arms: Path) -> None:
    add_evaluation(write_run(arms, "tvo", 3, 0.9), "nan")
    seeds = {
        failed: column(table(made(arms, failed=failed), "arms"), "each seed")[1] for failed in ("auto", "last", "out")
    }
    assert seeds == {"auto": "80.0 90.0 85.0 0.0", "last": "80.0 90.0 85.0 90.0", "out": "80.0 90.0 85.0 ·"}
    document = made(arms)
    said = "1 finished run ends without a finite eval/pass@1 (tvo-0.001-s3): it counts as failed in it."
    assert said in document.sections[0].warnings
    assert "tvo-0.001-s3: eval/pass@1 is not finite at 1 evaluation." in document.notes


def test_an_evaluation_that_is_not_finite_before_a_finite_one_is_said_and_changes_nothing(arms: Path) -> None:
    add_evaluation(write_run(arms, "tvo", 3, None), "nan")
    folder = write_run(arms, "tvo", 4, 0.9)
    for value in ("nan", 0.7):
        add_evaluation(folder, value)
    found = {trial.seed: trial for trial in gather_runs([arms]).trials if trial.settings["algorithm.name"] == "tvo"}
    assert final_value(found["3"], MetricChoice("eval/pass@1")) is None, "unfinished"
    assert final_value(found["4"], MetricChoice("eval/pass@1")) == 0.7


def test_a_step_metric_that_is_not_finite_over_the_last_steps_has_no_final_value(arms: Path) -> None:
    curves: dict[int, list[float | str]] = {3: [0.8, *["nan"] * 5], 4: [0.8, 0.6, *["nan"] * 4]}
    for seed, curve in curves.items():
        write_run(arms, "tvo", seed, 0.9, curve=curve, settings={"trainer.steps": 4})
    seeds = column(table(made(arms, metric="accuracy/fresh"), "arms"), "each seed")[1]
    assert seeds.endswith(" 0.0 70.0")


def test_best_and_final_are_of_the_same_runs(arms: Path) -> None:
    curve = (0.2, 0.2, 0.2, 0.2)
    write_run(arms, "tvo", 3, None, curve=curve)  # still going
    (write_run(arms, "tvo", 4, None, curve=curve) / "run.log").write_text("2026 ERROR tvo: stopped by Error: x\n")
    found = table(made(arms, failed="out"), "arms")
    assert column(found, "each seed")[1] == "80.0 90.0 85.0 … ·"
    assert column(found, "best (%)")[1] == "25.0"  # of the three: the mean of 0.1 0.2 0.3 0.4
    counted = column(table(made(arms), "arms"), "best (%)")[1]
    assert counted.startswith("23.8 ")  # the failed one counts, with its best reading
