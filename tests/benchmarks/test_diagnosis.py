"""The sums behind docs/results/diagnosis.md: how a run is labelled, what a tool's words count as, and the faults."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks.diagnosis import benchmark as diagnosis
from benchmarks.diagnosis.counts import ALARMS, alarms, counts
from benchmarks.diagnosis.faults import FAULTS, STALE_BY, FaultyGrader, StaleSampler
from benchmarks.diagnosis.length_reward import longer
from benchmarks.diagnosis.logs import LabelledLog, end_of, falls_on_the_way, logs_below, onset_of_fall
from benchmarks.diagnosis.names import RIGHT
from benchmarks.diagnosis.runs import runs
from benchmarks.diagnosis.shares import delay
from benchmarks.diagnosis.simulated import simulated_rows
from benchmarks.diagnosis.tools import TOOLS, Said, examine
from tvo_cli.diagnosis.registry import BY_NAME
from tvo_cli.types import Problem, Verdict

SIZES = {"num_generations": 8, "train_batch_size": 128}


def rows(accuracy: list[float], first: float, last: float, entropy: float = 0.6) -> list[dict[str, Any]]:
    found = [{"step": step, "accuracy/fresh": value, "policy/entropy": entropy} for step, value in enumerate(accuracy)]
    return [{**found[0], "eval/pass@1": first}, *found[1:-1], {**found[-1], "eval/pass@1": last}]


@pytest.mark.parametrize(
    "accuracy, last, end",
    [
        ([0.4, 0.4, 0.4, 0.7, 0.7, 0.7], 0.7, "healthy"),
        ([0.4, 0.4, 0.4, 0.4, 0.4, 0.4], 0.42, "stalled"),
        ([0.4, 0.7, 0.7, 0.7, 0.5, 0.5], 0.5, "fell"),
        ([0.4, 0.7, 0.7, 0.7, 0.2, 0.2], 0.2, "collapsed"),
    ],
)
def test_a_run_is_labelled_by_its_end_against_its_own_peak_and_start(
    accuracy: list[float], last: float, end: str
) -> None:
    assert end_of(rows(accuracy, 0.4, last)) == end


@pytest.mark.parametrize("last, end", [(0.42, "collapsed"), (0.7, "healthy")])
def test_without_entropy_a_run_has_collapsed_unless_it_has_learnt(last: float, end: str) -> None:
    found = rows([0.4] * 6, 0.4, last)
    for row in found[-3:]:
        row["policy/entropy"] = 0.01
    assert end_of(found) == end


def test_a_fall_begins_after_the_best_mean_of_three_batches() -> None:
    assert onset_of_fall(rows([0.3, 0.5, 0.6, 0.7, 0.2, 0.1], 0.3, 0.1)) == 4


def test_a_run_that_was_lost_and_came_back_fell_on_the_way() -> None:
    there_and_back = rows([0.4, 0.6, 0.6, 0.6, 0.3, 0.3, 0.6, 0.7, 0.7, 0.7], 0.4, 0.7)
    assert end_of(there_and_back) == "healthy" and falls_on_the_way(there_and_back)
    assert not falls_on_the_way(rows([0.4, 0.6, 0.6, 0.6, 0.3, 0.6, 0.7, 0.7], 0.4, 0.7)), "one batch"
    log = LabelledLog("runs", "healthy", "grpo", 1, None, "healthy", there_and_back)
    found = counts("tvo", [(log, Said([("policy_drift", "warning")], None)), (log, Said([], None))])
    assert (found["logs"], found["found"], found["fell"], found["fell_found"]) == (2, 1, 2, 1)


def test_trls_log_of_a_skipped_update_has_no_finite_loss() -> None:
    row = {"step": 1, "reward/mean": 0.5, "loss/nonfinite": 1.0, "thermo/viscosity": 2.0}
    (told,) = LabelledLog("faults", "not_finite", "grpo", 0, 1, "healthy", [row]).as_trl_logs_it()
    assert told["reward"] == 0.5 and math.isnan(told["loss"]) and "thermo/viscosity" not in told


def test_a_finding_before_the_onset_is_no_alarm_and_a_wrong_name_is_not_right() -> None:
    logs = [LabelledLog("faults", "stale", "grpo", seed, 13, "healthy", []) for seed in (1, 3, 5)]
    said = [
        Said([("stale_weights", "warning")], 15),
        Said([("plateau", "critical")], 20),
        Said([("plateau", "x")], None),
    ]
    names = {"stale_weights": 1, "plateau": 2}
    expected = {"logs": 3, "found": 3, "critical": 1, "verdicts": 3, "named": 2, "right": 1}
    assert counts("tvo", list(zip(logs, said))) == {
        **expected,
        **{"failures": names, "delays": [2, 7, None], "fell": 0, "fell_found": 0},
    }


def test_a_warning_that_is_over_is_an_alarm_but_not_the_verdict() -> None:
    norms = [0.5] * 15 + [50.0] + [0.5] * 30
    rows_ = [{"step": at + 1, "gradient/norm": norm, "accuracy/fresh": 0.5} for at, norm in enumerate(norms)]
    log = LabelledLog("runs", "healthy", "grpo", 1, None, "healthy", rows_)
    early, late = (examine("tvo", [one])[0] for one in (replace(log, rows=rows_[:20]), log))
    for said, counts_ in ((early, True), (late, False)):
        assert (said.found, said.alarm, said.verdict) == ([("gradient_spike", "warning")], None, counts_)
    assert counts("tvo", [(log, early), (log, late)])["verdicts"] == 1
    (told,) = alarms([(log, late), (replace(log, case="collapsed"), late), (log, Said([], None))])
    assert told.keys() | {"source", "group", "tool"} == set(ALARMS) and not told["counts"]
    assert (told["step"], told["failure"], told["severity"]) == (16, "gradient_spike", "warning")
    assert told["message"].startswith("gradient/norm = 50")


def test_a_simulated_log_is_examined_whole_with_the_findings_of_a_live_monitor() -> None:
    found = []
    for kind in ("learns", "far too hard"):
        log = LabelledLog("simulated", kind, kind, 1, None, "", simulated_rows(kind, 100, 1), config=SIZES)
        whole, live = (examine("tvo", [one])[0] for one in (log, replace(log, source="runs")))
        assert (whole.found, whole.verdict) == (live.found, live.verdict) and not whole.told
        found.append(bool(whole.found))
    assert found == [False, True]


def test_a_run_folder_says_its_own_sizes(tmp_path: Path) -> None:
    folder = tmp_path / "lr-0.001"
    folder.mkdir()
    (folder / "summary.json").write_text("{}")
    settings = {"seed": 7, "algorithm": {"name": "grpo"}, "optimizer": {"clip_norm": 0.5}}
    settings |= {"rollout": {"prompts": 64, "samples": 2, "max_tokens": 22}}
    (folder / "config.yaml").write_text(json.dumps(settings))
    lines = rows([0.4, 0.4, 0.4, 0.7, 0.7, 0.7], 0.4, 0.7)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (log,) = logs_below(tmp_path)
    assert (log.end, log.samples, log.prompts, log.clip_norm) == ("healthy", 2, 64, 0.5)
    assert (log.algorithm, log.seed, log.config["max_completion_length"]) == ("grpo+lr-0.001", 7, 22)
    (folder / "summary.json").unlink()
    assert not list(logs_below(tmp_path)), "it has not finished"


def test_an_alarm_that_never_came_counts_as_endless() -> None:
    assert delay([{"delays": [2, 7, None]}]) == "7"
    assert delay([{"delays": [2, None, None]}]) == "∞"
    assert delay([{"delays": []}]) == "–"


def test_every_case_has_right_names_of_every_tool_and_ours_are_there() -> None:
    assert set(RIGHT) == set(TOOLS)
    assert {fault.name for fault in FAULTS} <= set(RIGHT["tvo"]) == set(RIGHT["rldoctor"]) == set(RIGHT["rlwatch"])
    assert set().union(*RIGHT["tvo"].values()) <= set(BY_NAME)


def test_each_seed_has_every_fault_and_both_halves_have_every_algorithm_of_a_fault() -> None:
    plan = list(runs(tuple(range(4))))
    for fault in FAULTS:
        of_fault = [run for run in plan if run.fault is fault]
        assert {run.seed for run in of_fault} == {0, 1, 2, 3}
        for half in (0, 1):
            assert {run.algorithm for run in of_fault if run.seed % 2 == half} == set(fault.algorithms)


def test_a_verifier_that_accepts_everything_does_so_from_the_onset_on() -> None:
    (fault,) = (one for one in FAULTS if one.name == "accepts_all")
    grader = SimpleNamespace(grade=lambda *_: [Verdict(False, "3", "different")], counts={"deadline": 1})
    session: Any = SimpleNamespace(grader=grader, counters=SimpleNamespace(step=0))
    assert fault.inject is not None
    fault.inject(session, 3)
    problem = Problem(id="a", question="1 + 1 =", answer="2", source="own")
    verdicts = []
    for session.counters.step in (0, 1, 2, 3):
        verdicts += session.grader.grade(["3"], [problem], [True])
    assert [verdict.correct for verdict in verdicts] == [False, False, True, True]
    assert isinstance(session.grader, FaultyGrader) and session.grader.counts == {"deadline": 1}


def test_a_stale_sampler_samples_from_old_weights_and_gives_the_new_ones_back() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    policy, seen = SimpleNamespace(network=network), list[float]()
    session: Any = SimpleNamespace(
        counters=SimpleNamespace(step=0), sampler=lambda policy: seen.append(_weight(policy))
    )
    sampler = StaleSampler(session, onset=3)
    for step in range(12):
        session.counters.step = step
        torch.nn.init.constant_(network.weight, float(step))
        sampler(policy)
        assert _weight(policy) == step
    assert seen == [0.0, 1.0, *[0.0] * 7, 1.0, 2.0, 3.0] and seen[-1] == 11 - STALE_BY


def _weight(policy: Any) -> float:
    return float(policy.network.weight.detach())


def test_long_words_are_paid_for_from_the_onset_on() -> None:
    assert longer(["x" * 44, "x" * 99], step=2, onset=3) == [0.0, 0.0]
    assert longer(["x" * 44, "x" * 99, ""], step=3, onset=3) == [0.5, 1.0, 0.0]


def test_a_record_of_an_examined_log_is_a_valid_one(tmp_path: Path) -> None:
    """From a run folder to the row of the record, by our own rules."""
    folder = tmp_path / "accepts_all" / "grpo-s1"
    folder.mkdir(parents=True)
    told = {"fault": "accepts_all", "onset": 3, "algorithm": "grpo", "seed": 1}
    (folder / "fault.json").write_text(json.dumps(told))
    (folder / "summary.json").write_text("{}")
    lines = [{**row, "reward/mean": 1.0 if row["step"] >= 3 else 0.4} for row in rows([0.4] * 12, 0.4, 0.4)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    settings = diagnosis.Chosen(folder=tmp_path, kept=tmp_path, only=("accepts_all",), seeds=(1,))
    (row,) = diagnosis._cases(settings, "faults", "1", "tvo")
    fields = {"source", "group", "tool", *row}
    assert fields == set(diagnosis.TABLES["cases"]) and row["standing"] == "odd" and row["logs"] == 1
    (kept,) = (tmp_path / "faults").iterdir()
    assert kept.name == "accepts_all-grpo-s1.json.gz"


def test_a_peer_that_is_not_there_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    tools = ("tvo", "rldoctor", "rlwatch")
    nowhere: dict[str, Any] = {f"{peer}_python": str(tmp_path / "python") for peer in tools[1:]}
    settings = diagnosis.Chosen(kept=tmp_path, parts=("faults", "scenarios"), seeds=(1,), tools=tools, **nowhere)
    keys = [(one.table, one.key) for one in diagnosis.measure(settings)]
    assert [key["tool"] for table, key in keys if table == "tools"] == list(tools)
    assert {(key["source"], key["tool"]) for table, key in keys if table == "cases"} == {("faults", "tvo")}
    assert "python: No such file" in diagnosis._there(settings, "rldoctor")["left_out"]


def test_a_set_of_runs_that_is_not_kept_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"benchmarks\.diagnosis\.kept momentum FOLDER"):
        diagnosis._cases(diagnosis.Chosen(kept=tmp_path), "runs", "momentum", "tvo")
