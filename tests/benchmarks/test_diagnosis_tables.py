"""The tables of docs/results/diagnosis.md: what they count, and that the page has those that its record prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks.diagnosis import benchmark as diagnosis
from benchmarks.diagnosis.case_tables import power
from benchmarks.diagnosis.run_tables import aims, false_alarms, other_ends, sets_of_runs
from benchmarks.diagnosis.tables import SECTIONS, table
from benchmarks.harness.record import Row, read
from tests.benchmarks.test_second_edition import Tables

RESULTS = Path(__file__).parents[2] / "docs" / "results"
BEGIN, END = "<!-- tables -->\n", "\n<!-- end of tables -->"


def row(case: str, tool: str = "tvo", group: str = "addition", standing: str = "outside", **counts: Any) -> Row:
    known = {"source": "runs", "case": case, "end": case, "tool": tool, "group": group, "standing": standing}
    counted = ("logs", "found", "fell", "fell_found", "critical", "verdicts", "named", "right")
    return known | dict.fromkeys(counted, 0) | {"delays": []} | counts


def test_the_page_has_the_tables_that_the_record_prints() -> None:
    """And the record is of the whole command, not of a part."""
    record = read(RESULTS / "diagnosis" / "record.json")
    page = (RESULTS / "diagnosis.md").read_text(encoding="utf-8")
    assert page.partition(BEGIN)[2].partition(END)[0].strip() == table(record).strip(), "made anew as the page says"
    assert record.ended and not record.quick and record.command == "python -m benchmarks.diagnosis"
    assert record.settings == diagnosis.Chosen().model_dump(mode="json")
    assert all(section.rows(record) for section in SECTIONS)
    assert {one["left_out"] for one in record.rows("tools")} == {""}, "with both peers"


@pytest.mark.parametrize(
    "named, alarmed, told",
    [(95, 2, "met by the point estimate"), (94, 3, "missed"), (1000, 0, "met, by the interval too")],
)
def test_an_aim_is_met_by_its_point_and_by_its_interval_or_missed(named: int, alarmed: int, told: str) -> None:
    n = max(named, 100)
    collapsed = row("collapsed", standing="odd", logs=n, named=named, delays=[2] * n)
    fell = row("healthy", logs=50, fell=50)
    found = aims([collapsed, fell, row("healthy", logs=n - 50, found=alarmed, verdicts=alarmed)])
    _, _, collapses, running, steady, verdict, delay = found.splitlines()
    assert f": {alarmed}/{n - 50} = " in steady
    assert f"| {told}: {named}/{n} = " in collapses
    assert f"| {told}: {alarmed}/{n} = " in running and f"| {told}: {alarmed}/{n} = " in verdict
    assert delay.endswith("| no peer was there |")


@pytest.mark.parametrize("mine, peers, told", [(2, (0, 7), "missed"), (2, (4, 7), "met"), (0, (0, None), "met")])
def test_the_delay_is_held_against_half_of_the_better_peers(mine: int, peers: tuple[Any, Any], told: str) -> None:
    rows = [row("collapsed", logs=1, named=1, delays=[mine]), row("healthy", logs=1)]
    rows += [row("collapsed", tool, logs=1, delays=[one]) for tool, one in zip(("rldoctor", "rlwatch"), peers)]
    rows += [row("collapsed", standing=one, logs=1, delays=[30]) for one in ("read", "even")]
    assert aims(rows).splitlines()[-1].endswith(f"| {told}: {mine} steps, the better peer {peers[0]} |")


def test_sets_of_a_title_are_one_line_with_the_spread_of_their_delays() -> None:
    rows = [
        row("collapsed", group="arithmetic-1003", standing="odd", logs=2, named=2, delays=[0, 1]),
        row("collapsed", group="arithmetic-1005", standing="odd", logs=2, named=1, delays=[4, None]),
        row("healthy", group="arithmetic-1003", standing="odd", logs=50, found=1, verdicts=1, fell=10, fell_found=1),
        row("healthy", group="arithmetic-1004", standing="even", logs=30, found=3),
        row("healthy", group="long", logs=20),
        row("healthy", group="momentum", standing="read", logs=50, found=2, critical=1),
    ]
    lines = sets_of_runs(rows).splitlines()[2:]
    assert [line.split(" | ")[0] for line in lines] == [
        "| arithmetic, seeds 1002 to 1009",
        "| arithmetic, 120 batches",
        "| momentum",
        "| even seeds, all together",
        "| odd seeds, all together",
        "| outside, all together",
    ]
    assert "3/4 = 75.0%" in lines[0] and "| 4 (1 to ∞) |" in lines[0] and "1/50 = 2.0%" in lines[0]
    assert "| 0/40 = 0.0%" in lines[0], "the one that was alarmed had fallen on the way"
    assert "| read | tvo | – | – | 2/50 = 4.0%" in lines[2] and "3/30 = 10.0%" in lines[3]
    assert "1/50 = 2.0%" in lines[4] and "0/20 = 0.0%" in lines[5]


def test_a_fault_that_ends_in_a_collapse_counts_as_one_and_a_run_without_a_fault_does_not() -> None:
    known = {"source": "faults", "group": "1", "standing": "odd", "end": "collapsed"}
    rows = [row("rate_30", logs=1, named=1, delays=[3]) | known, row("healthy", logs=4, found=1) | known]
    (line,) = sets_of_runs(rows).splitlines()[2:]
    assert line.startswith("| injected faults, odd seeds | odd | tvo | 1/1 = 100.0% ") and "| 3 | 1/4 = 25.0%" in line


def test_a_fall_is_counted_after_its_onset_and_a_stalled_run_anyhow() -> None:
    rows = [row("fell", logs=3, found=3, named=2, delays=[1, 2, None]), row("stalled", logs=5, found=1)]
    rows += [row("healthy", logs=9, found=9)]
    assert other_ends(rows).splitlines()[2:] == ["| outside | fell | 2/3, delay 2 |", "| outside | stalled | 1/5 |"]


def test_a_false_alarm_is_told_with_its_run_and_counted_by_columns() -> None:
    told = {"source": "faults", "group": "9", "tool": "tvo", "algorithm": "grpo", "seed": 9, "step": 4}
    told |= {"failure": "gradient_spike", "severity": "warning", "counts": False, "message": "gradient/norm = 9"}
    renamed = told | {"tool": "tvo (TRL's columns)"}
    lines = false_alarms([told, renamed, renamed | {"seed": 1}]).splitlines()
    assert lines[2:4] == [
        "| injected faults, odd seeds | grpo | 9 | 4 | `gradient_spike`, warning | no | gradient/norm = 9 |",
        "",
    ]
    assert lines[-1] == "| `gradient_spike` | 1 | 2 |"


def test_peers_that_were_there_are_named_and_those_that_were_not_are_said_to_be_left_out() -> None:
    tools = [("tvo", "", ""), ("rldoctor", "0.2.0", ""), ("rlwatch", "", "failed: pip install rlwatch==0.5.1\nGive")]
    found: dict[str, list[Row]] = {name: [] for name in diagnosis.TABLES}
    found["tools"] = [dict(zip(diagnosis.TABLES["tools"], one)) for one in tools]
    told = "Peers: rldoctor 0.2.0.\n\nrlwatch is left out: failed: pip install rlwatch==0.5.1"
    assert table(cast(Any, Tables(found))) == told
    found["cases"] = [row("healthy", "rlwatch", logs=1)]
    assert "left out" not in table(cast(Any, Tables(found))), "a later start had it"


def test_the_power_is_that_of_independent_answers() -> None:
    """a = 0.9, M = 256: 0.08 / √(0.82·0.18/512 + 0.9·0.1/256) = 3.2; nothing at one half."""
    lines = power().splitlines()
    assert lines[2] == "| 0.5 | 0.0 | 0.0 | 0.0 |" and lines[5] == "| 0.9 | 1.9 | 3.2 | 4.1 |"
