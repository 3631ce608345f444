"""The run of the whole family: every recipe is in it, and its table says what a row's runs say."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks.harness.record import Row
from benchmarks.zoo import SEEDS, SMALL, Chosen, measure, readings_of_zoo, table
from tests.benchmarks.test_second_edition import Readings
from tvo_cli import config
from tvo_cli.cli.dry_run import jobs_of_command_line

# TVO; on one source of data GRPO; it is shown worked solutions of the task, so that it learns another one than the rest
NOT_COMPARED = {"tvo_2025", "recap", "recap_next_token"}


def test_every_recipe_is_in_the_sweep() -> None:
    found, _ = jobs_of_command_line(["-m", "experiment=zoo_small", "seed=0", "optimizer.lr=1e-3"])
    swept = {dict(map(config.split_override, job))["algorithm"] for job in found}
    assert swept == set(config.choices_of_group("algorithm")) - NOT_COMPARED


def test_a_machine_goes_on_with_the_seeds_that_a_record_lacks() -> None:
    pending = [one.key for one in measure(Chosen())]
    assert pending == [{"sweep": SMALL, "seed": seed} for seed in SEEDS[SMALL]]


def test_noise_is_read_while_it_learns_and_the_threshold_where_it_is_first_reached() -> None:
    accuracy, noise = (0.5, 0.7, 0.85, 0.6), (4.0, 2.0, 100.0, 3.0)
    steps = [
        {"accuracy/fresh": share, "gradient/normalised_variance": value, "gradient/signal_resolved": 1.0}
        | {"rollouts": 128.0 * number, "time/step": 0.1 * number}
        for number, (share, value) in enumerate(zip(accuracy, noise, strict=True), 1)
    ]
    assert readings_of_zoo(Path(), steps) == {"noise": 3.0, "rollouts": 384.0, "seconds": pytest.approx(0.25)}
    steps[3]["gradient/signal_resolved"] = 0.0
    assert readings_of_zoo(Path(), steps[:2] + steps[3:]) == {"noise": 3.0, "rollouts": None, "seconds": 0.2}


def run_of(row: str, rate: float, seed: int, final: float, rollouts: float | None) -> Row:
    found = {"sweep": SMALL, "row": row, "lr": rate, "seed": seed, "final": final, "rollouts": rollouts}
    return found | {"entropy": 0.5, "collapsed": final < 0.2, "noise": None, "seconds": 0.4, "falls": 0}


def test_a_recipe_that_breaks_is_a_row_like_any_other() -> None:
    runs = [run_of("tvo", 1e-3, seed, 0.9 + seed / 100, 256.0) for seed in (0, 1)]
    runs += [run_of("grpo", 1e-3, seed, 0.1, None) for seed in (0, 1)]
    lines = table(cast(Any, Readings(runs))).splitlines()
    assert lines[4].startswith("| tvo | 0.001 | 0.905 [") and "| 256 (2 of 2) |" in lines[4]
    assert (
        lines[5].startswith("| grpo | 0.001 | 0.100 [")
        and "| – | never (0 of 2) | 0.40 | 0.100 | 2 of 2 [0.342, 1.000] | -0.805 [" in lines[5]
    )
