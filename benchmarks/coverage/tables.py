"""The tables of docs/results/intervals.md, from the record of benchmarks.coverage."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from benchmarks.harness import markdown
from benchmarks.harness.record import Record, Row, group

NOT_DEFINED = "—"
QUESTIONS = {"alarms": "equal arms called different", "power": "a better arm found", "covers": "an arm's interval"}


def table(record: Record) -> str:
    """Those for which something was simulated; several generator seeds are averaged."""
    made = (intervals, families, rates, few_seeds, exact, evaluations)
    return "\n\n".join(one for part in made for one in part(record))


def intervals(record: Record) -> Iterator[str]:
    """Every interval at its sizes."""
    lines = []
    for (interval, data), rows in group(record.rows("intervals"), "interval", "data").items():
        sizes = group(rows, "n")
        cells = [_covered(_mean(found, "covers"), _mean(found, "made")) for found in sizes.values()]
        lines.append([interval, data, markdown.several(n for (n,) in sizes), markdown.several(cells)])
    if lines:
        yield markdown.table(["95% interval", "data", "n", "covers, %"], lines)


def _covered(covers: float | None, made: float | None) -> str:
    return _percent(covers) + (f" (of the {_percent(made)}% made)" if made is not None and made < 1 else "")


def families(record: Record) -> Iterator[str]:
    """False alarms of four comparisons, and what `seeds_needed` says."""
    lines = []
    for (n,), rows in group(record.rows("families"), "n").items():
        alarms = [f"{_percent(_mean(rows, name))}%" for name in ("alarms", "alarms_holm")]
        low, median, high = (_mean(rows, f"told_{name}") for name in ("low", "median", "high"))
        lines.append([n, *alarms, f"{low:.0f} … {high:.0f}, median {median:.0f}"])
    head = ["seeds", "four arms like the baseline: a false alarm", "with Holm"]
    if lines:
        yield markdown.table([*head, "`seeds_needed`, truth 10: middle half"], lines)


def rates(record: Record) -> Iterator[str]:
    """False alarms, power and coverage of each way to choose a rate."""
    rows = record.rows("rates")
    ways, sizes = (list(dict.fromkeys(row[name] for row in rows)) for name in ("way", "n"))
    for question, title in QUESTIONS.items() if rows else ():
        lines = []
        for (case, shared), found in group(rows, "case", "shared").items():
            by_way = group(found, "way")
            lines.append([case, f"{shared:.0%}", *(_by_size(by_way[way,], question) for way in ways)])
        yield markdown.table([f"{title}, %, at {markdown.several(sizes)} seeds", "shared", *ways], lines)


def _by_size(rows: Sequence[Row], name: str) -> str:
    return markdown.several(_percent(_mean(found, name)) for found in group(rows, "n").values())


def few_seeds(record: Record) -> Iterator[str]:
    """False alarms where eight rates have fewer seeds than the ninth."""
    rows, lines = record.rows("few_seeds"), []
    rules = list(dict.fromkeys(row["rule"] for row in rows))
    for (n, shared), found in group(rows, "n", "shared").items():
        by_rule = group(found, "rule")
        few = markdown.several(k for (k,) in group(found, "few"))
        alarms = (
            markdown.several(_percent(_mean(same, "alarms")) for same in group(by_rule[rule,], "few").values())
            for rule in rules
        )
        lines.append([n, few, f"{shared:.0%}", *alarms])
    if lines:
        head = ["seeds of the full rate", "of eight others", "shared"]
        yield markdown.table([*head, *(f"{rule}: equal arms called different, %" for rule in rules)], lines)


def exact(record: Record) -> Iterator[str]:
    """One 0/1 score a problem: Wilson's interval against t."""
    lines = []
    for (problems,), rows in group(record.rows("exact"), "problems").items():
        cells = [f"{_percent(row['least'])} (at {row['at']:.1%}), {_percent(row['mean'])}" for row in rows]
        lines.append([problems, *cells])
    head = ["one 0/1 score a problem, problems", "Wilson: least, mean, %", "t (not used): least, mean, %"]
    if lines:
        yield markdown.table(head, lines)


def evaluations(record: Record) -> Iterator[str]:
    """Several samples a problem: the least coverage over all accuracies, and the width at one half."""
    lines = []
    for place, rows in group(record.rows("evaluations"), "chances", "problems", "samples").items():
        rules = group(rows, "interval")
        cells = [_worst(found) for found in rules.values()]
        widths = [_mean([row for row in found if row["accuracy"] == 0.5], "width") for found in rules.values()]
        ratio = f"{widths[0] / widths[1]:.2f}" if len(widths) == 2 and widths[0] and widths[1] else NOT_DEFINED
        lines.append([place[0], f"{place[1]} × {place[2]}", *cells, ratio])
    head = ["problems' chances", "problems × samples", "covers at least, %, of 2 … 98%"]
    if lines:
        yield markdown.table([*head, "t, not used", "width at 50% ÷ t"], lines)


def _worst(rows: Sequence[Row]) -> str:
    covered = {accuracy: _mean(found, "covers") or 0.0 for (accuracy,), found in group(rows, "accuracy").items()}
    worst = min(covered, key=lambda accuracy: covered[accuracy])
    return f"{_percent(covered[worst])} (at {worst:.0%})"


def _mean(rows: Sequence[Row], name: str) -> float | None:
    values = [row[name] for row in rows if row[name] is not None]
    return statistics.fmean(values) if values else None


def _percent(value: float | None) -> str:
    return NOT_DEFINED if value is None else f"{100 * value:.1f}"
