"""The plan of the second edition: its sum counts what its presets start, and its rules choose what they say."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any, cast

import pytest
from omegaconf import OmegaConf

from benchmarks.group_size import SHAPES, estimators, predicted_ratio
from benchmarks.harness.child_process import wait_for
from benchmarks.harness.record import Row
from benchmarks.refusals import CONFIRMED
from benchmarks.second_edition.benchmark import _read_again, measure, table
from benchmarks.second_edition.plan import FIRST, TASKS, Chosen, folder_of, plan, words_of
from benchmarks.sweeps.choice import best_rate, leading_rows
from benchmarks.sweeps.runs import falls, refusals_of, runs_below
from benchmarks.sweeps.sweep import FRESH, Sweep, later
from benchmarks.sweeps.verdicts import _difference, _paired, at_own_rate, differences, verdicts
from tvo_cli import config
from tvo_cli.cli.dry_run import jobs_of_command_line
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.experiment import train

SHORT = ("trainer.steps=4", "evaluation.problems=8", "hydra.launcher.n_jobs=1")


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
    assert all(float(OmegaConf.select(chosen, key)) == float(value) for key, value in shape.items())


@pytest.mark.slow
def test_every_row_with_refused_updates_composes_and_the_rule_can_act_in_it() -> None:
    jobs, _ = jobs_of_command_line(["-m", "experiment=second_edition_refuse"])
    rows = {dict(map(config.split_override, job))["algorithm"] for job in jobs}
    assert rows == {"tvo_2025", "tvo_overdamped", "grpo_shrunk_cv", "grpo_overdamped"}
    for row in sorted(rows):
        chosen = config.compose(["experiment=second_edition_refuse", f"algorithm={row}", "output_dir=x"])
        check_across_keys(chosen)  # enough prompts for a reading above the limit, and no curriculum
        assert (chosen.stability.refuse, chosen.curriculum.kind) == (4.0, "none")
        assert int(chosen.rollout.prompts) >= 64


@pytest.mark.parametrize("shape", [sweep.shape for sweep in FIRST], ids=lambda shape: shape or "its own")
def test_every_row_can_go_on_to_the_later_sweeps(shape: str) -> None:
    """Its folder and overrides are what the command line reads, and the jobs are those that the sum counts."""
    row, settings = f"grpo_shrunk_cv {shape}".strip(), Chosen()
    for task, batches in TASKS.items():
        preset = f"second_edition_{task}"
        choice = later(f"choice of rates, {task}: {row}", preset, row, 8, batches, seeds=(100, 101))
        report = later(f"{task}: {row}", preset, row, 20, batches, ("optimizer.lr=3e-3,1e-3",))
        for sweep in (choice, report):
            assert len(jobs_of_command_line(["-m", *words_of(settings, sweep, 7)])[0]) * len(sweep.seeds) == sweep.jobs
    long = later(f"120 batches: {row}", "second_edition_long", row, 5, 120, ("optimizer.lr=3e-3",), FRESH[:5])
    (found,), _ = jobs_of_command_line(["-m", *words_of(settings, long, 1000)])
    assert len(long.seeds) == long.jobs and {"seed=1000", *shape.split()} <= set(found)


def test_the_sum_counts_every_run_that_may_be_read_again() -> None:
    sweeps = {sweep.name: sweep for sweep in plan(Chosen())}
    with_rule = [name for name in sweeps if name.endswith("read again")]
    assert len(sweeps) == 4 + 5 + 6 and len(with_rule) == 6
    for name in with_rule:
        swept = sweeps[name.partition(":")[0]]
        assert (sweeps[name].jobs, sweeps[name].batches) == (swept.jobs, swept.batches + 16)


def test_another_machine_goes_on_from_the_record_alone() -> None:
    """Seeds that the record has are not started again; a run of them that refused is read once more."""
    sweep = FIRST[0]
    rows = [{"sweep": sweep.name, "row": "tvo", "lr": 1e-3, "seed": 1000, "refusals": [4]}]
    settings, record = Chosen(), cast(Any, Tables({"runs": rows}))
    pending = measure(settings, record)
    keys = [(one.table, one.key.get("seed")) for one in (next(pending) for _ in range(4))]
    assert keys == [("plan", None), ("runs", 1000), ("refusals", 1000), ("runs", 1001)]
    assert folder_of(settings, sweep, 1001) == settings.folder / "second_edition" / "1001"


def test_the_table_says_refusals_those_confirmed_and_batches_lost() -> None:
    run = {"sweep": "s", "lr": 1e-3, "final": 0.9, "area": 0.5, "entropy": 0.5, "neutral": 1.0, "collapsed": False}
    run |= {"falls": 1, "row": "tvo stability.refuse=4"}
    twice, never = {"seed": 0, "refusals": [3, 7], "lost": 5}, {"seed": 1, "refusals": [], "lost": 0}
    key = {"sweep": "s", "row": run["row"], "lr": 1e-3, "seed": 0}
    read = key | {"same": True, "before": [0.8, 0.8], "after": [0.2, 0.79], "z": [9.0, 0.5]}
    rows = {"plan": [{"sweep": "s", "jobs": 2, "hours": 0.1}], "runs": [run | twice, run | never], "refusals": [read]}
    assert table(cast(Any, Tables(rows))).splitlines()[-1].endswith("| 0 of 2 | 2 | 1.00 | 1 of 2 | 5 |")
    rows["refusals"] = [read | {"same": False}]
    assert "| 1.00 | 0 of 0; 1 runs refused other steps when made once more | 5 |" in table(cast(Any, Tables(rows)))
    rows |= {"runs": [run | never], "refusals": []}
    assert "| 0 of 1 | 1 | 0 |  | 0 |" in table(cast(Any, Tables(rows)))


@pytest.mark.slow
def test_a_run_made_once_more_refuses_the_same_steps(tmp_path: Path) -> None:
    """A sweep of one run at a rate that is far too large, and the fresh readings of its refusals."""
    settings = Chosen(overrides=SHORT, folder=tmp_path, rollouts=128)
    sweep = Sweep("refused", "second_edition_refuse", 1, 4, "stability.refuse=1")
    words = ("algorithm=tvo_2025", "optimizer.lr=3e-2", "seed=0", sweep.shape, *SHORT[:-1])
    train(config.compose([f"experiment={sweep.preset}", *words, f"output_dir={tmp_path}/refused/run"]))
    (run,) = runs_below(tmp_path / "refused", sweep.shape, refusals_of)
    assert run["refusals"] and run["lost"] > 0
    found = _read_again(settings, sweep, run)
    assert found["same"] and len(found["z"]) == len(found["before"]) == len(found["after"]) == len(run["refusals"])
    assert found["z"][0] > CONFIRMED and found["before"][0] > found["after"][0], "a rate that wrecks the policy"
    assert not _read_again(settings, sweep, run | {"refusals": []})["same"]


@pytest.mark.slow
def test_a_command_that_is_interrupted_is_waited_for() -> None:
    """Ctrl-C to whoever waits: the command hears it once, saves, and its own exit code comes back."""
    script = "trap 'exit 75' INT; kill -INT $PPID; while :; do sleep 0.05; done"
    before = signal.getsignal(signal.SIGINT)
    assert wait_for(["sh", "-c", script]) == 75
    assert signal.getsignal(signal.SIGINT) is before


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
    (folder / "collapse.json").write_text(json.dumps({"verdict": "healthy"}))
    made_by = {"git": {"commit": "0123456789ab", "dirty": True}, "environment": {"cpu": "X", "cpu_kernels": "AVX2"}}
    (folder / "versions.json").write_text(json.dumps(made_by))
    (folder / "summary.json").write_text(json.dumps({"evaluation": {"eval/pass@1": final}}))
    rows = [{"accuracy/fresh": share, "policy/entropy": 0.5} for share in (0.9, 0.1, final)]
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))


def test_rows_lead_by_their_best_rate_and_keep_what_makes_them_a_row(tmp_path: Path) -> None:
    for seed, shift in ((0, 0.01), (1, -0.01)):
        run_of(tmp_path / "own", "grpo", 1e-3, seed, 0.5 + shift)
        run_of(tmp_path / "own", "grpo", 1e-4, seed, 0.8 + shift)
        run_of(tmp_path / "own", "tvo", 1e-3, seed, 0.7 + shift)
        run_of(tmp_path / "four", "grpo", 1e-4, seed, 0.9 + shift)
    runs = runs_below(tmp_path / "own", more=refusals_of)
    runs += runs_below(tmp_path / "four", "rollout.epochs=4", refusals_of)
    assert leading_rows(runs, 2) == ["grpo rollout.epochs=4", "grpo"]
    assert best_rate(runs, "grpo") == 1e-4 and best_rate(runs, "tvo") == 1e-3
    assert {(run["commit"], run["processor"]) for run in runs} == {("0123456789, changed since", "X, AVX2")}
    assert all(run["falls"] == 1 and (run["refusals"], run["lost"]) == ([], 0) for run in runs)
    verdict = {"refusals": [{"step": 3, "z": 5.0}, {"step": 9, "z": 4.2}], "batches_lost": 4}
    (tmp_path / "four" / "grpo-0.0001-0" / "collapse.json").write_text(json.dumps(verdict))
    found = runs_below(tmp_path / "four", "", refusals_of)
    assert [(run["refusals"], run["lost"]) for run in found] == [([3, 9], 4), ([], 0)]


def runs_of(row: str, rate: float, finals: list[float]) -> list[Row]:
    found = {"row": row, "lr": rate, "collapsed": False, "falls": 0}
    return [found | {"seed": seed, "final": final} for seed, final in enumerate(finals)]


def test_rows_are_compared_by_seed_at_their_own_best_rates() -> None:
    """Without a choice of rate nothing is taken off; a pair lacks the seed that one of them lacks."""
    reference = runs_of("tvo_overdamped", 1e-3, [0.5, 0.7, 0.6])
    own = {run["row"]: at_own_rate([run]) for run in reference} | {
        "tvo_overdamped": at_own_rate(reference),
        "grpo": at_own_rate(runs_of("grpo", 1e-3, [0.4, 0.5])),
    }
    (found,) = differences(own, "tvo_overdamped").values()
    assert found[0].n == 2 and found[0].difference == pytest.approx(-0.15)
    assert found[0].p == found[1] == pytest.approx(0.2048, abs=1e-4), "t = -3 at one degree of freedom"


def test_a_chosen_rate_costs_its_optimism() -> None:
    """Two rates that tie in expectation: the better one's mean is lowered, and never below that of the other."""
    tied = [*runs_of("grpo", 1e-3, [0.5, 0.7, 0.6, 0.8]), *runs_of("grpo", 1e-4, [0.7, 0.5, 0.8, 0.5])]
    mean = sum(at_own_rate(tied).values()) / 4
    assert 0.6 < mean < 0.65
    assert at_own_rate(tied[:4]) == {0: 0.5, 1: 0.7, 2: 0.6, 3: 0.8}


def test_the_rule_is_compared_with_the_same_row_without_it() -> None:
    without, having = runs_of("tvo_2025", 1e-3, [0.5, 0.6]), runs_of("tvo_2025 stability.refuse=4", 1e-3, [0.7, 0.9])
    told = verdicts([*without, *having, *runs_of("grpo stability.refuse=4", 1e-3, [0.1])])
    assert "| tvo_2025 stability.refuse=4 | 0.001 | +0.250 [" in told
    assert "| grpo stability.refuse=4 | 0.001 | -" not in told and "| grpo stability.refuse=4 | 0.001 | +" not in told
    assert "| tvo_2025 | 0.001 | 0.550 | 0.550 | 0.000 | 0 [0.000, 0.658] | 0 | 2 |" in told, "Wilson: 0 of 2"


def test_two_rows_of_the_same_runs_are_told_as_such() -> None:
    """What is taken off for the choice of a rate may differ between them; that is no difference of the rows."""
    found = _paired({0: 0.5, 1: 0.7, 2: 0.6}, {0: 0.4997, 1: 0.6997, 2: 0.5997})
    assert found.p == 1.0 and _difference(found, 1.0) == ["+0.000 the same runs", "1", "3"]
    alone = _paired({0: 0.5}, {0: 0.4})
    assert _difference(alone, alone.p) == ["+0.100 [+nan, +nan]", "nan", "1"], "one seed has no interval"


def test_the_rule_takes_no_place_of_its_own_and_the_best_rival_goes_on() -> None:
    final = {"tvo": 0.9, "tvo stability.refuse=4": 0.91, "grpo_shrunk_cv": 0.8, "tvo_2025": 0.7}
    final |= {"grpo rollout.epochs=4": 0.5, "grpo": 0.4}
    runs = [{"row": row, "lr": 1e-3, "final": value} for row, value in final.items()]
    assert leading_rows(runs, 4) == ["tvo stability.refuse=4", "grpo_shrunk_cv", "tvo_2025", "grpo rollout.epochs=4"]
    assert leading_rows(runs, 3) == ["tvo stability.refuse=4", "grpo_shrunk_cv", "grpo rollout.epochs=4"]
    assert leading_rows(runs[:4], 2) == ["tvo stability.refuse=4", "grpo_shrunk_cv"], "no rival was run"


class Tables:
    """What a table reads of a record of several tables."""

    def __init__(self, found: dict[str, list[Row]]) -> None:
        self.found = found

    def rows(self, table: str) -> list[Row]:
        return self.found[table]


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
