"""Delay against false alarms: our rules, and beside them one alarm as quick as can be, at several limits.

The quick alarm is a KL to the reference that grew by more than so many nats a step over the last three steps at most,
at once and without patience. It shows what a delay costs: at each limit the healthy runs alarmed, and the median delay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.diagnosis.counts import Examined, standing_of
from benchmarks.diagnosis.logs import LabelledLog
from benchmarks.diagnosis.sets import FIGURES
from benchmarks.diagnosis.shares import delay
from benchmarks.harness import markdown
from benchmarks.harness.record import Row, number, numbers, text

LIMITS = (None, 0.12, 0.06, 0.04, 0.02)  # nats a step; None: our rules alone
WINDOW = 3  # steps
KL = "policy/kl_ref"
SET_ON, OTHERS = "even seeds and read", "odd seeds and outside"
FIELDS = {
    "group": text("the set of runs"),
    "standing": text("what a figure is worth (benchmarks/diagnosis/sets.py)"),
    "limit": number("of the quick alarm: how much the KL grew; null: our rules alone", "nats a step"),
    "healthy": number("healthy runs", "1"),
    "alarmed": number("of these with an alarm of our rules or the quick one", "1"),
    "delays": numbers("of each collapsed run, from the onset to the first alarm of either; null: none", "steps"),
}


def points(examined: Examined, group: str) -> list[Row]:
    """What our rules and the quick alarm together do at each limit, in the runs of a set by their standing."""
    standings = dict.fromkeys(standing_of(log, group) for log, _ in examined)
    return [
        {"standing": standing, **_point([one for one in examined if standing_of(one[0], group) == standing], limit)}
        for standing in standings
        for limit in LIMITS
    ]


def _point(examined: Examined, limit: float | None) -> Row:
    alarmed, delays = [], list[int | None]()
    for log, ours in examined:
        quick = [] if limit is None else quick_alarms(log, limit)
        if log.case == "healthy":
            alarmed.append(bool(quick or ours.found))
        elif log.case == "collapsed" and log.onset is not None:
            late = [step for step in quick if step >= log.onset] + ([] if ours.alarm is None else [ours.alarm])
            delays.append(min(late) - log.onset if late else None)
    return {"limit": limit, "healthy": len(alarmed), "alarmed": sum(alarmed), "delays": delays}


def quick_alarms(log: LabelledLog, limit: float) -> list[int]:
    """The steps at which the quick alarm is given."""
    read = [(row["step"], row[KL]) for row in log.rows if KL in row]
    found = []
    for at in range(1, len(read)):
        (begun, before), (step, now) = read[max(at - WINDOW, 0)], read[at]
        if (now - before) / (step - begun) > limit:
            found.append(int(step))
    return found


def table(rows: Sequence[Row]) -> str:
    """A line a limit; the runs that something was set on, and the others, apart."""
    standings = [one for one in (SET_ON, OTHERS) if any(_standing(row) == one for row in rows)]
    head = ["quick alarm, nats a step"]
    head += [f"{standing}: {what}" for standing in standings for what in ("healthy runs alarmed", "median delay")]
    return markdown.table(head, _lines(rows, standings))


def _lines(rows: Sequence[Row], standings: Sequence[str]) -> Iterator[list[str]]:
    for limit in dict.fromkeys(row["limit"] for row in rows):
        line = ["none: our rules" if limit is None else f"{limit:g}"]
        for standing in standings:
            line += _cells([row for row in rows if row["limit"] == limit and _standing(row) == standing])
        yield line


def _cells(rows: Sequence[Row]) -> list[str]:
    healthy, alarmed = (sum(row[name] for row in rows) for name in ("healthy", "alarmed"))
    collapsed = sum(len(row["delays"]) for row in rows)
    share = f"{alarmed}/{healthy} = {100 * alarmed / healthy:.1f}%" if healthy else "–"
    return [share, f"{delay(rows)} ({collapsed} runs)"]


def _standing(row: Row) -> str:
    return OTHERS if row["standing"] in FIGURES else SET_ON
