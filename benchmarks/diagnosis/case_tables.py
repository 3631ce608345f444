"""The tables of cases in docs/results/diagnosis.md: faults, scenarios, simulated logs, and what no curve can show."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.diagnosis.shares import SOUND, delay, share, total
from benchmarks.diagnosis.tools import OWN
from benchmarks.harness import markdown
from benchmarks.harness.record import Row, group

TURNED = 0.1  # share of the verdicts
WINDOW, RESPONSES = 8, 64  # steps, and responses a step, of the training accuracy
ACCURACIES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
HELD_OUT = (64, 256, 1024)  # answers of an evaluation


def cases(rows: Sequence[Row]) -> str:
    """A line a case, a column a tool: alarms, of these a right name first, and the median delay."""
    tools = [tool for (tool,) in group(rows, "tool")]
    lines = []
    for (case,), of_case in group(rows, "case").items():
        by_tool = {tool: [row for row in of_case if row["tool"] == tool] for tool in tools}
        cells = [_cell(case, mine) for mine in by_tool.values()]
        lines.append([case, str(total(by_tool[tools[0]], "logs")), *cells])
    lines.append(["all but healthy", "", *(_total(rows, tool) for tool in tools)])
    return markdown.table(["case", "logs", *tools], lines)


def _cell(case: str, rows: Sequence[Row]) -> str:
    if case in SOUND:
        return f"alarmed {total(rows, 'found')}, critical {total(rows, 'critical')}"
    after = delay(rows)
    return f"named {total(rows, 'named')}, right {total(rows, 'right')}" + (f", after {after}" if after != "–" else "")


def _total(rows: Sequence[Row], tool: str) -> str:
    mine = [row for row in rows if row["tool"] == tool and row["case"] not in SOUND]
    n = total(mine, "logs")
    return f"named {share(total(mine, 'named'), n)}; right {share(total(mine, 'right'), n)}"


def lengths(rows: Sequence[Row]) -> str:
    """A line a length: healthy and still simulated logs in which our rules find anything, odd and even seeds."""
    sound = [row for row in rows if row["case"] in SOUND and row["tool"] == OWN]
    head = ("steps", "odd seeds: healthy logs alarmed", "even seeds, where thresholds were set")
    lines = []
    for (steps,), mine in group(sound, "group").items():
        halves = [[row for row in mine if row["standing"] == half] for half in ("odd", "even")]
        lines.append([steps, *(share(total(half, "found"), total(half, "logs")) for half in halves)])
    return markdown.table(head, lines)


def ill(rows: Sequence[Row]) -> str:
    """A line a plain fault of the simulated logs: named, and by a right name first."""
    found = [row for row in rows if row["case"] not in SOUND]
    head = ("case", "odd seeds", "even seeds, where thresholds were set")
    lines = []
    for (case,), mine in group(found, "case").items():
        halves = [[row for row in mine if row["standing"] == half] for half in ("odd", "even")]
        lines.append([case, *(f"of {total(half, 'logs')}: {_cell(case, half)}" for half in halves)])
    return markdown.table(head, lines)


def power() -> str:
    """Standard errors by which the training accuracy lies below a held-out one if a share of verdicts is turned round.

    ε|1 − 2a| / √(a'(1 − a')/(wN) + a(1 − a)/M), a' = a + ε(1 − 2a): w steps of N responses, M answers held out.
    """
    head = ("accuracy a", *(f"M = {answers}" for answers in HELD_OUT))
    return markdown.table(
        head, [[f"{a:g}", *(f"{_errors(a, answers):.1f}" for answers in HELD_OUT)] for a in ACCURACIES]
    )


def _errors(a: float, answers: int) -> float:
    shown = a + TURNED * (1.0 - 2.0 * a)
    error = math.sqrt(shown * (1.0 - shown) / (WINDOW * RESPONSES) + a * (1.0 - a) / answers)
    return TURNED * abs(1.0 - 2.0 * a) / error
