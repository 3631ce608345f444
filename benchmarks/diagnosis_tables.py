"""The tables of docs/results/diagnosis.md, from the record of benchmarks.diagnosis."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence

from benchmarks.harness import markdown
from benchmarks.harness.record import Record, Row, group
from tvo_cli.stats.confidence_interval import wilson_interval

HALF = "odd"
SOUND = ("healthy", "stalled")
TITLES = {
    "runs": "Runs of docs/results' experiments, by their end",
    "faults": "Runs with an injected fault",
    "scenarios": "rldoctor's simulated scenarios",
}


def table(record: Record) -> str:
    """One table a source, the aims, and both halves of the runs beside each other."""
    rows = record.rows("cases")
    parts = [f"### {TITLES[source]}\n\n{_table_of(source, _shown(rows, source))}" for source in TITLES]
    there = [part for part, source in zip(parts, TITLES) if _shown(rows, source)]
    return "\n\n".join([*there, f"### The aims\n\n{_aims(rows)}"])


def _shown(rows: Iterable[Row], source: str) -> list[Row]:
    """The half that figures are told of; of the scenarios all, for no threshold was set on them."""
    return [row for row in rows if row["source"] == source and (source == "scenarios" or row["half"] == HALF)]


def _table_of(source: str, rows: Sequence[Row]) -> str:
    named = source != "runs"
    head = ["case", "tool", "logs", "any finding", "critical", *(["named", "right name"] if named else []), "delay"]
    return markdown.table(head, (_line(case, tool, mine, named) for case, tool, mine in _cases(rows)))


def _cases(rows: Sequence[Row]) -> Iterator[tuple[str, str, list[Row]]]:
    for (case,), of_case in group(rows, "case").items():
        for (tool,), mine in group(of_case, "tool").items():
            yield case, tool, mine


def _line(case: str, tool: str, rows: Sequence[Row], named: bool) -> list[str]:
    n = _sum(rows, "logs")
    failing = case not in SOUND
    cells = [_share(_sum(rows, name), n) if failing else "" for name in ("named", "right")] if named else []
    return [case, tool, str(n), _share(_sum(rows, "found"), n), _share(_sum(rows, "critical"), n), *cells, delay(rows)]


def _aims(rows: Sequence[Row]) -> str:
    """Collapses with an alarm, healthy runs with one, and the delay, of all real runs of the half."""
    real = [row for row in rows if row["source"] != "scenarios" and row["half"] == HALF]
    lines = []
    for (tool,), mine in group(real, "tool").items():
        collapsed = [row for row in mine if row["end"] == "collapsed" and row["case"] != "healthy"]
        healthy = [row for row in mine if row["case"] == "healthy"]
        shares = [
            _share(_sum(collapsed, "named"), _sum(collapsed, "logs")),
            _share(_sum(healthy, "found"), _sum(healthy, "logs")),
            _share(_sum(healthy, "critical"), _sum(healthy, "logs")),
        ]
        lines.append([tool, *shares, delay(collapsed)])
    head = ("tool", "collapses with an alarm", "healthy runs alarmed", "healthy runs called critical", "delay")
    return markdown.table(head, lines)


def _sum(rows: Iterable[Row], name: str) -> int:
    return sum(row[name] for row in rows)


def _share(count: int, n: int) -> str:
    """`count/n = share [95% Wilson]`."""
    if not n:
        return "–"
    found = wilson_interval(count, n)
    return f"{count}/{n} = {100 * count / n:.1f}% [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def delay(rows: Iterable[Row]) -> str:
    """The median of the steps from onset to alarm, an alarm that never came counting as ∞."""
    found = [math.inf if one is None else one for row in rows for one in row["delays"]]
    if not found:
        return "–"
    middle = statistics.median_high(found)
    return "∞" if math.isinf(middle) else f"{middle:g}"
