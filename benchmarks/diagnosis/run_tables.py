"""The tables of finished runs in docs/results/diagnosis.md: the aims, sets of runs, and false alarms one by one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from benchmarks.diagnosis.sets import BY_NAME, FIGURES
from benchmarks.diagnosis.shares import delay, median_delay, of_end, share, shown_delay, total
from benchmarks.diagnosis.tools import OWN, RENAMED, SIDES
from benchmarks.harness import markdown
from benchmarks.harness.record import Row, group
from tvo_cli.stats.confidence_interval import wilson_interval

NAMED_AIM, ALARMED_AIM = 0.95, 0.02
SUMS = {  # lines below the sets
    "even": "even seeds, all together",
    "odd": "odd seeds, all together",
    "outside": "outside, all together",
}
FAULTS = "injected faults, odd seeds"


def aims(rows: Sequence[Row]) -> str:
    """The aims of the issue on runs that nothing was set on, with our columns and with TRL's."""
    figures = [row for row in rows if row["standing"] in FIGURES]
    by_tool = {tool: [row for row in figures if row["tool"] == tool] for tool in dict.fromkeys(r["tool"] for r in rows)}
    head = ["aim, on runs that nothing was set on", *(f"{tool}" for tool in (OWN, RENAMED) if tool in by_tool)]
    ours = [by_tool[tool] for tool in (OWN, RENAMED) if tool in by_tool]
    peers = [median_delay(of_end(by_tool[peer], "collapsed")) for peer in SIDES if peer in by_tool]
    lines = [
        ["95% of collapses named", *map(_named, ours)],
        ["2% of healthy runs alarmed, while running", *(_alarmed(mine, "found") for mine in ours)],
        ["the same, of runs that never fell on the way", *(_alarmed(mine, "found", steady=True) for mine in ours)],
        ["2% of healthy runs alarmed, in the verdict", *(_alarmed(mine, "verdicts") for mine in ours)],
        ["half of the better peer's median delay", *(_delay(mine, peers) for mine in ours)],
    ]
    return markdown.table(head, lines)


def _named(rows: Sequence[Row]) -> str:
    collapsed = of_end(rows, "collapsed")
    count, n = total(collapsed, "named"), total(collapsed, "logs")
    found = wilson_interval(count, n)
    return f"{_met(count / n >= NAMED_AIM, found.low >= NAMED_AIM)}: {share(count, n)}"


def _alarmed(rows: Sequence[Row], name: str, *, steady: bool = False) -> str:
    healthy = of_end(rows, "healthy")
    count, n = _steady(healthy) if steady else (total(healthy, name), total(healthy, "logs"))
    found = wilson_interval(count, n)
    return f"{_met(count / n <= ALARMED_AIM, found.high <= ALARMED_AIM)}: {share(count, n)}"


def _steady(healthy: Sequence[Row]) -> tuple[int, int]:
    """Of healthy runs whose accuracy never fell on the way: those with an alarm, and all."""
    alarmed, n = total(healthy, "found") - total(healthy, "fell_found"), total(healthy, "logs") - total(healthy, "fell")
    return alarmed, n


def _met(point: bool, interval: bool) -> str:
    """What the point estimate says, and whether the whole interval says so too."""
    return "met, by the interval too" if point and interval else "met by the point estimate" if point else "missed"


def _delay(rows: Sequence[Row], peers: Sequence[float]) -> str:
    mine, best = median_delay(of_end(rows, "collapsed")), min(peers, default=math.nan)
    told = f"{shown_delay(mine)} steps, the better peer {shown_delay(best)}"
    return "no peer was there" if math.isnan(best) else f"{'met' if mine <= best / 2 else 'missed'}: {told}"


def sets_of_runs(rows: Sequence[Row]) -> str:
    """A line a title and tool: collapses named with their delay, healthy runs alarmed, in the verdict, critical.

    Of sets whose even seeds something was set on the others; those of all of them together below, with the sums.
    """
    head = ("runs", "standing", "tool", "collapsed, named", "delay", "healthy, alarmed while running")
    shown = [row for row in rows if row["standing"] != "even"]
    titles = dict.fromkeys(_title(row) for row in shown)
    lines = [line for title in titles for line in _lines(title, [row for row in shown if _title(row) == title])]
    for standing, title in SUMS.items():
        lines += _lines(title, [row for row in rows if row["source"] == "runs" and row["standing"] == standing])
    return markdown.table((*head, "of these that never fell", "in the verdict", "critical"), lines)


def _lines(title: str, rows: Sequence[Row]) -> Iterator[list[str]]:
    for (tool,), mine in group(rows, "tool").items():
        collapsed, healthy = of_end(mine, "collapsed"), of_end(mine, "healthy")
        n = total(healthy, "logs")
        named = share(total(collapsed, "named"), total(collapsed, "logs"))
        running, verdict, critical = (share(total(healthy, name), n) for name in ("found", "verdicts", "critical"))
        alarmed = running, share(*_steady(healthy)), verdict, critical
        yield [title, mine[0]["standing"], tool, named, _delays(collapsed), *alarmed]


def _delays(rows: Sequence[Row]) -> str:
    """The median, and of several sets or seeds the least and the largest median."""
    every = [median_delay(mine) for mine in group(rows, "group").values()]
    spread = f" ({shown_delay(min(every))} to {shown_delay(max(every))})" if len(every) > 1 else ""
    return delay(rows) + spread


def _title(row: Row) -> str:
    return BY_NAME[row["group"]].title if row["source"] == "runs" else FAULTS


def other_ends(rows: Sequence[Row]) -> str:
    """Runs that fell or stalled: those with an alarm (after the onset of a fall), a column a tool."""
    tools = list(dict.fromkeys(row["tool"] for row in rows))
    lines = []
    for (standing, case), mine in group(rows, "standing", "case").items():
        if case in ("fell", "stalled"):
            by_tool = [[row for row in mine if row["tool"] == tool] for tool in tools]
            lines.append([standing, case, *(_end_cell(case, of_tool) for of_tool in by_tool)])
    return markdown.table(["runs", "end", *tools], lines)


def _end_cell(case: str, rows: Sequence[Row]) -> str:
    n = total(rows, "logs")
    return f"{total(rows, 'named')}/{n}, delay {delay(rows)}" if case == "fell" else f"{total(rows, 'found')}/{n}"


def false_alarms(rows: Sequence[Row]) -> str:
    """Each healthy run in which we find something in our columns; then how many runs each failure is found in."""
    head = ("runs", "run", "seed", "told at step", "finding", "in the verdict", "what is said")
    lines = []
    for row in rows:
        if row["tool"] == OWN:
            counts, found = "yes" if row["counts"] else "no", f"`{row['failure']}`, {row['severity']}"
            lines.append([_title(row), row["algorithm"], row["seed"], row["step"], found, counts, row["message"]])
    return f"{markdown.table(head, lines)}\n\n{_failures(rows)}"


def _failures(rows: Sequence[Row]) -> str:
    """A line a failure: the healthy runs in which it is found, by columns."""
    count = Counter((row["failure"], row["tool"]) for row in rows)
    names = dict.fromkeys(name for (name, _), _ in count.most_common())
    head = ("found in healthy runs", "with our columns", "with TRL's")
    return markdown.table(head, [[f"`{name}`", count[name, OWN], count[name, RENAMED]] for name in names])
