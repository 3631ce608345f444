"""The tables of docs/results/diagnosis.md, from the record of benchmarks.diagnosis."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from benchmarks.harness import markdown
from benchmarks.harness.record import Record, Row, group
from tvo_cli.stats.confidence_interval import wilson_interval

HALVES = ("odd", "all")
SOUND = ("healthy", "stalled", "still")
TITLES = {
    "runs": "Runs of docs/results' experiments, by their end",
    "faults": "Runs with an injected fault",
    "scenarios": "rldoctor's simulated scenarios",
    "simulated": "Our simulated logs",
}


def table(record: Record) -> str:
    """What each source shows, then the aims."""
    told = [row for row in record.rows("cases") if row["half"] in HALVES]
    real = [row for row in told if row["source"] in ("runs", "faults")]
    parts = [f"### The aims\n\n{_aims(real)}"] if real else []
    for source, title in TITLES.items():
        rows = [row for row in told if row["source"] == source]
        if rows:
            made = _table_of_ends(rows) if source == "runs" else _table_of_cases(rows)
            made = f"{_table_of_lengths(rows)}\n\n{made}" if source == "simulated" else made
            parts.append(f"### {title}\n\n{made}")
    return "\n\n".join(parts)


def _table_of_ends(rows: Sequence[Row]) -> str:
    """A line an end and tool, folders apart."""
    head = ("folder", "end", "tool", "runs", "any finding", "critical", "alarm after the onset", "delay")
    made = markdown.table(head, _ends(rows))
    sound = [row for row in rows if row["case"] == "healthy" and "failures" in row]
    return f"{made}\n\nOf the healthy ones:\n\n{_table_of_alarms(sound)}" if sound else made


def _table_of_alarms(rows: Sequence[Row]) -> str:
    """Which failures are found in healthy runs, and how many runs are judged by them at their end."""
    head = ("folder", "tool", "runs", "any finding", "in the verdict at the end", "what, in how many runs")
    lines = []
    for (folder, tool), mine in group(rows, "group", "tool").items():
        n = _sum(mine, "logs")
        names = sum((Counter(row["failures"]) for row in mine), Counter[str]()).most_common()
        shares = [share(_sum(mine, name), n) for name in ("found", "verdicts")]
        lines.append([folder, tool, str(n), *shares, ", ".join(f"{name} {count}" for name, count in names)])
    return markdown.table(head, lines)


def _ends(rows: Sequence[Row]) -> Iterator[list[str]]:
    for (folder, end, tool), mine in group(rows, "group", "case", "tool").items():
        n = _sum(mine, "logs")
        shares = [share(_sum(mine, name), n) for name in ("found", "critical")]
        after = share(_sum(mine, "named"), n) if end not in SOUND else ""
        yield [folder, end, tool, str(n), *shares, after, delay(mine)]


def _table_of_lengths(rows: Sequence[Row]) -> str:
    """A line a length, a column a tool: healthy and still logs in which it finds anything."""
    tools = [tool for (tool,) in group(rows, "tool")]
    sound = [row for row in rows if row["case"] in SOUND]
    lines = []
    for (steps,), of_length in group(sound, "group").items():
        by_tool = [[row for row in of_length if row["tool"] == tool] for tool in tools]
        lines.append([steps, *(share(_sum(mine, "found"), _sum(mine, "logs")) for mine in by_tool)])
    return markdown.table(["steps", *(f"healthy logs alarmed by {tool}" for tool in tools)], lines)


def _table_of_cases(rows: Sequence[Row]) -> str:
    """A line a case, a column a tool: alarms, of these a right name first, and the median delay."""
    tools = [tool for (tool,) in group(rows, "tool")]
    lines = []
    for (case,), of_case in group(rows, "case").items():
        by_tool = {tool: [row for row in of_case if row["tool"] == tool] for tool in tools}
        cells = [_cell(case, mine) for mine in by_tool.values()]
        lines.append([case, str(_sum(by_tool[tools[0]], "logs")), *cells])
    lines.append(["all but healthy", "", *(_total(rows, tool) for tool in tools)])
    return markdown.table(["case", "logs", *tools], lines)


def _cell(case: str, rows: Sequence[Row]) -> str:
    if case in SOUND:
        return f"alarmed {_sum(rows, 'found')}, critical {_sum(rows, 'critical')}"
    after = delay(rows)
    return f"named {_sum(rows, 'named')}, right {_sum(rows, 'right')}" + (f", after {after}" if after != "–" else "")


def _total(rows: Sequence[Row], tool: str) -> str:
    mine = [row for row in rows if row["tool"] == tool and row["case"] not in SOUND]
    n = _sum(mine, "logs")
    return f"named {share(_sum(mine, 'named'), n)}; right {share(_sum(mine, 'right'), n)}"


def _aims(rows: Sequence[Row]) -> str:
    """Collapses with an alarm, healthy runs with one, and the delay, of real runs."""
    head = ("runs", "tool", "collapses with an alarm", "healthy runs alarmed", "healthy runs called critical", "delay")
    return markdown.table(head, _aims_of_tools(rows))


def _aims_of_tools(rows: Sequence[Row]) -> Iterator[list[str]]:
    for where in dict.fromkeys(map(_where, rows)):
        for (tool,), mine in group([row for row in rows if _where(row) == where], "tool").items():
            collapsed = [row for row in mine if row["end"] == "collapsed" and row["case"] != "healthy"]
            healthy = [row for row in mine if row["case"] == "healthy"]
            n = _sum(healthy, "logs")
            alarmed = [share(_sum(healthy, name), n) for name in ("found", "critical")]
            named = share(_sum(collapsed, "named"), _sum(collapsed, "logs"))
            yield [where, tool, named, *alarmed, delay(collapsed)]


def _where(row: Row) -> str:
    return str(row["group"]) if row["source"] == "runs" else "injected faults"


def _sum(rows: Iterable[Row], name: str) -> int:
    return sum(row[name] for row in rows)


def share(count: int, n: int) -> str:
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
