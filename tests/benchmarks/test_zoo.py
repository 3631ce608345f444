"""The run of the whole family: every recipe is in it, and its tables say what a recipe's runs say."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmarks.harness.record import Row, Table
from benchmarks.zoo import benchmark as zoo
from benchmarks.zoo.benchmark import (
    RATES,
    REAL,
    REAL_SEEDS,
    SEEDS,
    SMALL,
    TABLES,
    Chosen,
    _broken_runs,
    measure,
    readings_of_zoo,
    sweeps_by_batch,
)
from benchmarks.zoo.figure import draw
from benchmarks.zoo.tables import counted, tables
from tests.benchmarks.test_second_edition import Readings
from tvo_cli import config
from tvo_cli.cli.dry_run import jobs_of_command_line

# TVO; on one source of data GRPO; it is shown worked solutions of the task, so that it learns another one than the rest
NOT_COMPARED = {"tvo_one_response", "recap", "recap_next_token"}


def test_every_recipe_is_in_the_sweep_at_the_rates_and_seeds_of_the_benchmark() -> None:
    found, _ = jobs_of_command_line(["-m", "experiment=zoo_small"])
    swept = [dict(map(config.split_override, job)) for job in found]
    assert {job["algorithm"] for job in swept} == set(config.choices_of_group("algorithm")) - NOT_COMPARED
    assert {float(job["optimizer.lr"]) for job in swept} == set(RATES)
    assert {int(job["seed"]) for job in swept} == set(SEEDS)


def test_a_machine_goes_on_with_the_seeds_and_rates_that_a_record_lacks() -> None:
    """A whole seed before the next one, from the largest rate on."""
    done = [{"sweep": SMALL, "seed": SEEDS[0], "lr": rate} for rate in RATES[1:]]
    pending = [one.key for one in measure(Chosen(), cast(Any, Readings(done)))]
    wanted = [(SEEDS[0], RATES[0]), *((seed, rate) for seed in SEEDS[1:] for rate in reversed(RATES))]
    assert pending == [{"sweep": SMALL, "seed": seed, "lr": rate} for seed, rate in wanted]


@pytest.mark.slow  # a command line and four recipes are composed
def test_on_the_pretrained_model_each_recipe_has_its_own_passes_in_a_batch_of_32_responses() -> None:
    """GRPO one update of 4 × 8, TVO 4 over 4 of 32 × 1, CURE once over 2 of 2 × 16: two prompts are two minibatches."""
    found = sweeps_by_batch(["tvo", "grpo", "cure", "rloo"])
    assert {name: words[0] for name, words in found.items()} == {
        "32x1x4x4": "algorithm=tvo",
        "4x8x1x1": "algorithm=grpo,rloo",
        "2x16x1x2": "algorithm=cure",
    }
    assert found["2x16x1x2"][1:] == tuple(
        f"rollout.{word}" for word in ("prompts=2", "samples=16", "epochs=1", "minibatches=2")
    )
    jobs, _ = jobs_of_command_line(["-m", f"experiment={REAL}", *found["4x8x1x1"], "seed=0"])
    assert [dict(map(config.split_override, job))["algorithm"] for job in jobs] == ["grpo", "rloo"]


def test_the_best_of_a_finished_record_go_on_a_seed_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(zoo, "wait_for", lambda words: started.append(words) or 0)
    monkeypatch.setattr(zoo, "_leaders", lambda path, count: ["tvo", "grpo"])
    chosen = Chosen(after=tmp_path / "record.json", folder=tmp_path)
    first, second, *others = measure(chosen, cast(Any, Readings([])))
    assert [one.key["seed"] for one in others] == [seed for seed in REAL_SEEDS[1:] for _ in range(2)]
    assert (first.key["row"], second.key["row"]) == ("tvo", "grpo"), "a record has each batch as soon as it is there"
    assert first.rows() == second.rows() == [] and len({words[-1] for words in started}) == 2 == len(started)
    assert all("seed=0" in words and "optimizer.lr=3e-05" in words for words in started)
    tvo, grpo = started
    assert {"algorithm=tvo", "rollout.samples=1", "rollout.epochs=4"} <= set(tvo)
    assert {"algorithm=grpo", "rollout.samples=8", "rollout.epochs=1"} <= set(grpo)


def test_noise_is_read_while_it_learns_and_the_threshold_where_the_running_mean_reaches_it() -> None:
    accuracy, noise = (0.7, 0.75, 0.82, 0.82, 0.84, 0.86, 0.6), (4.0, 2.0, 9.0, 9.0, 9.0, 9.0, 3.0)
    entropy = (0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)
    steps = [
        {"accuracy/fresh": share, "gradient/normalised_variance": value, "gradient/signal_resolved": 1.0}
        | {"rollouts": 128.0 * number, "time/step": 0.1 * number, "policy/entropy": left}
        for number, (share, value, left) in enumerate(zip(accuracy, noise, entropy, strict=True), 1)
    ]
    found = readings_of_zoo(Path(), steps)  # means of five: 0.786, then 0.818
    assert (found["noise"], found["rollouts"], found["sampled"]) == (3.0, 768.0, 896.0)
    assert found["kept"] == pytest.approx(0.4 / 0.8) and found["seconds"] == pytest.approx(0.4)
    steps[6]["gradient/signal_resolved"] = 0.0
    short = readings_of_zoo(Path(), steps[:5] + steps[6:])  # 0.786, then 0.766
    assert (short["noise"], short["rollouts"]) == (3.0, None)


def run_of(row: str, rate: float, seed: int, final: float, rollouts: float | None = None) -> Row:
    found = {"sweep": SMALL, "row": row, "lr": rate, "seed": seed, "final": final, "rollouts": rollouts, "broke": ""}
    found |= {"kept": 0.5, "collapsed": final < 0.2, "noise": 2.0 + seed, "sampled": 512.0, "seconds": 0.4}
    return found


def test_every_recipe_is_set_against_the_references_at_its_own_rate() -> None:
    finals = {"tvo": (0.9, 0.91, 0.92), "grpo": (0.1, 0.12, 0.11), "steer": (0.89, 0.9, 0.95)}
    runs = [
        run_of(row, 1e-3, seed, final, 256.0) for row, all_of in finals.items() for seed, final in enumerate(all_of)
    ]
    found = tables(runs, (1e-3,))
    assert "| steer | 0.001 | 0.913 [" in found and "| grpo | 0.001 | 0.110 [0.085, 0.135] | -0.800 [" in found
    assert "- below `tvo` (1): grpo\n" in found and "- not separated from `tvo` (1): steer\n" in found
    assert "- above `grpo` (2): steer, tvo\n" in found and "- above `tvo` (0): none\n" in found
    assert "| tvo | 0.500 | 2.884 [" in found, "the geometric mean of 2, 3, 4, without an interval of equal shares"
    assert "| grpo | 0.110 (3) | 3 of 3 [0.439, 1.000] |" in found


def test_a_run_that_is_certain_of_the_task_is_told_apart_from_one_that_lost_it() -> None:
    """On a pretrained model entropy under a tenth of the start goes with nine answers of ten right."""
    found = tables([run_of("tvo", 1e-3, 0, 0.9) | {"collapsed": True}, run_of("grpo", 1e-3, 0, 0.1)], (1e-3,))
    assert "| tvo | 0.900 (1) | 1 of 1 [0.207, 1.000], 1 by entropy alone |" in found
    assert "| grpo | 0.100 (1) | 1 of 1 [0.207, 1.000] |" in found


def test_a_seed_without_all_runs_waits_and_one_seed_separates_nothing() -> None:
    runs = [run_of(row, rate, 0, 0.5 + 100 * rate) for row in ("tvo", "grpo") for rate in (1e-4, 1e-3)]
    for lacks in ([("tvo", 1e-4), ("grpo", 1e-4)], [("tvo", 1e-4), ("tvo", 1e-3)]):
        found = tables([*runs, *(run_of(row, rate, 1, 0.99) for row, rate in lacks)], (1e-4, 1e-3))
        assert found.startswith("Seeds 0. Not all runs yet, not counted: 1.") and "0.99" not in found
    assert "| tvo | 0.001 (end) | 0.600 |" in found and "not separated from `tvo` (1): grpo" in found
    assert tables(runs[:1], (1e-4, 1e-3)) == "No seed has all runs yet: 1 are finished."


def sweep_of(folder: Path, *codes: int) -> Path:
    """A sweep.json of thirty jobs, of which these ended so."""
    words = ["algorithm=steer", "optimizer.lr=0.003", "seed=1"]
    jobs = [{"state": "failed", "code": code, "reason": "ValueError: no", "overrides": words} for code in codes]
    jobs += [{"state": "finished", "code": 0}] * (30 - len(jobs))
    (folder / "sweep.json").write_text(json.dumps({"jobs": jobs}))
    return folder


def test_a_run_that_an_error_ends_is_a_row_and_counts_as_nothing_learnt(tmp_path: Path) -> None:
    (broken,) = _broken_runs(sweep_of(tmp_path, 1), 1)
    row = {"sweep": SMALL} | broken
    Table.model_validate({"fields": TABLES["runs"], "rows": [row]}, strict=True)
    assert (row["row"], row["lr"], row["seed"], row["final"], row["broke"]) == (
        "steer",
        3e-3,
        1,
        None,
        "ValueError: no",
    )
    assert counted([row])[0]["final"] == 0.0
    found = tables([row, run_of("tvo", 3e-3, 1, 0.9)], (3e-3,))
    assert "| steer | 0.003 | 0.000 |" in found and found.endswith("- broke: steer at 0.003, seed 1: ValueError: no")
    assert "| steer | – | – | – | never (0 of 1) | – | – |" in found and "| steer | 0.000 (1) | 1 of 1" in found


@pytest.mark.parametrize(("code", "broken"), [(0, []), (1, ["RuntimeError: no"])])
def test_a_job_of_an_earlier_version_that_waits_or_was_interrupted_is_no_row(
    tmp_path: Path, code: int, broken: list[str]
) -> None:
    words = ["algorithm=steer", "seed=0", "optimizer.lr=3e-3"]
    jobs: list[dict[str, Any]] = [{"state": "waiting", "code": None, "reason": "", "overrides": words}]
    jobs += [{"state": "interrupted", "code": 75, "reason": "saved", "overrides": words}] * (not code)
    jobs += [{"state": "failed", "code": 1, "reason": "RuntimeError: no", "overrides": words}] * code
    (tmp_path / "sweep.json").write_text(json.dumps({"jobs": jobs}))
    assert [row["broke"] for row in _broken_runs(tmp_path, code)] == broken


def test_one_run_of_a_small_sweep_may_break(tmp_path: Path) -> None:
    """On the pretrained model a sweep may be one job: that it broke is what is known of it."""
    words = ["algorithm=steer", "seed=0", "optimizer.lr=3e-5"]
    job = {"state": "failed", "code": 1, "reason": "RuntimeError: no", "overrides": words}
    (tmp_path / "sweep.json").write_text(json.dumps({"jobs": [job]}))
    assert [row["broke"] for row in _broken_runs(tmp_path, 1)] == ["RuntimeError: no"]
    (tmp_path / "sweep.json").write_text(json.dumps({"jobs": [job, job | {"state": "interrupted", "code": 137}]}))
    with pytest.raises(SystemExit):
        _broken_runs(tmp_path, 1)


@pytest.mark.parametrize(
    ("code", "codes"),
    [(75, ()), (2, (2,)), (1, (1, 1, 1, 1)), (1, (137,)), (1, ())],
    ids=["stopped", "refused", "many", "killed", "no job"],
)
def test_what_is_no_methods_fault_stops_the_benchmark(tmp_path: Path, code: int, codes: tuple[int, ...]) -> None:
    with pytest.raises(SystemExit) as stopped:
        _broken_runs(sweep_of(tmp_path, *codes), code)
    assert stopped.value.code == code
    assert _broken_runs(sweep_of(tmp_path), 0) == []


@pytest.mark.slow
def test_the_figure_is_of_whole_seeds_and_there_is_none_without(tmp_path: Path) -> None:
    rows = [run_of(name, rate, seed, 0.5) for name in ("tvo", "grpo") for rate in (1e-3, 3e-3) for seed in (1, 2)]
    settings = {"after": None, "rates": [1e-3, 3e-3]}
    draw(cast(Any, SimpleNamespace(settings=settings, rows=lambda _: rows[:1])), tmp_path / "none")
    assert not (tmp_path / "none").exists()
    draw(cast(Any, SimpleNamespace(settings=settings, rows=lambda _: rows)), tmp_path / "two")
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["recipes.png", "recipes.svg"]
    assert "grpo" in (tmp_path / "two" / "recipes.svg").read_text(encoding="utf-8")
