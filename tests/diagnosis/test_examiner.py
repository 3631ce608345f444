"""The examiner: a finished log and a live run are one examination."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.diagnosis.simulated import kinds_of, simulated_rows
from tvo_cli.diagnosis import examiner
from tvo_cli.diagnosis.examiner import Examiner
from tvo_cli.diagnosis.registry import FAILURES
from tvo_cli.diagnosis.training_log import REFUSED, Row, RunFacts
from tvo_cli.stability.rule_interface import CollapseRule
from tvo_cli.stability.whole_log import WholeLog

FACTS = RunFacts(planned=60, prompts=16, samples=8)


def healthy() -> list[Row]:
    return [*simulated_rows("learns", 60, 1)]


def lost() -> list[Row]:
    return [{**row, "accuracy/fresh": 0.02, "reward/mean": 0.02} if row["step"] > 30 else row for row in healthy()]


def refused() -> list[Row]:
    return [{**row, REFUSED: float(max(row["step"] - 20, 0) // 2)} for row in lost()]


def late_columns() -> list[Row]:
    return [{**row, "policy/tv": 0.3, "loss/policy": float("nan")} if row["step"] > 40 else row for row in healthy()]


def at_the_limits() -> list[Row]:
    """Every reading that a rule holds against a line of its own lies on that line, or on either side of it."""
    lines = {"policy/tv": 0.08, "policy/clipped": 0.25, "policy/mismatch": 0.05, "response/truncated": 0.5}
    sides = [1.0, 1.0 + 1e-12, 1.0 - 1e-12, 1.01]
    return [
        {**row, **{name: line * sides[int(row["step"]) * len(name) % 4] for name, line in lines.items()}}
        | {"gradient/norm": 20.0 if row["step"] > 30 else 1.0, "policy/entropy": 0.1 if row["step"] > 9 else 1.0}
        | {"neutral/entropy": 0.9 if row["step"] > 30 else 2.0, "group/all_wrong": 0.954, "group/all_right": 0.0}
        for row in healthy()
    ]


def refused_at_the_start() -> list[Row]:
    """Steps that no rule is shown have the lowest values: of the start that rules see the rest is less than half."""
    words = [0.2] * 6 + [2.0] * 6 + [0.9] * 48
    return [
        {**row, "neutral/entropy": value, REFUSED: float(min(row["step"], 6))} for row, value in zip(healthy(), words)
    ]


@pytest.mark.parametrize(
    "rows", [healthy(), lost(), refused(), late_columns(), at_the_limits(), refused_at_the_start()]
)
@pytest.mark.parametrize("block", [7, examiner.BLOCK])
def test_a_finished_log_is_examined_as_a_live_one(rows: list[Row], block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examiner, "BLOCK", block)
    live, afterwards = Examiner(FACTS), Examiner(FACTS)
    for row in rows:
        live.observe(row)
    afterwards.observe_all(rows)
    assert live.findings() == afterwards.findings() and live.counting() == afterwards.counting()
    assert live.not_examined() == afterwards.not_examined()


def logs_of_all_kinds() -> list[list[Row]]:
    kinds: list[list[Row]] = [[*simulated_rows(kind, steps, 3)] for steps in (60, 200) for kind in kinds_of(steps, 3)]
    return [*kinds, healthy(), lost(), late_columns(), at_the_limits(), [{"step": 1}], healthy()[:2]]


@pytest.mark.slow
def test_a_rule_that_columns_tell_to_be_silent_is_breached_at_no_step() -> None:
    silent, loud = Counter[str](), Counter[str]()
    for rows in logs_of_all_kinds():
        log = WholeLog(rows)
        for rule in (rule for failure in FAILURES for rule in failure.rules(FACTS)):
            breached = any(rule.breach(row) is not None for row in rows)
            (silent if rule.is_silent(log) else loud)[type(rule).__name__] += 1
            assert not (breached and rule.is_silent(log)), (rule, rows[0])
    telling = {type(rule) for failure in FAILURES for rule in failure.rules(FACTS)}
    telling = {kind for kind in telling if kind.is_silent is not CollapseRule.is_silent}
    assert len(telling) > 15 and {kind.__name__ for kind in telling} <= set(silent)  # none of the bounds is idle


def looks_per_step(rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> float:
    """How many rules look at a step of a finished log, on average."""
    looks, show = [0], Examiner._show

    def counted(self: Examiner, watched: Any, shown: Any) -> bool:
        looks[0] += len(shown)
        return show(self, watched, shown)

    monkeypatch.setattr(Examiner, "_show", counted)
    Examiner(replace(FACTS, planned=len(rows))).observe_all(rows)
    return looks[0] / len(rows)


def test_few_rules_look_at_every_step_of_a_finished_log(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = sum(len(failure.rules(FACTS)) for failure in FAILURES)
    assert rules > 55 and looks_per_step([*simulated_rows("learns", 400, 1)], monkeypatch) < 0.5 * rules


def test_the_cases_find_something() -> None:
    for rows, failures in (
        (late_columns(), {"policy_drift", "nonfinite"}),
        (refused_at_the_start(), {"mode_collapse"}),
    ):
        found = Examiner(FACTS)
        found.observe_all(rows)
        assert failures <= {one.failure for one in found.findings()}
