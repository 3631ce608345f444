"""Delay against false alarms: our rules, and beside them one alarm as quick as can be, at several limits.

    python -m benchmarks.diagnosis_trade_off FOLDER …     # finished runs, read as --untouched of benchmarks.diagnosis

The quick alarm is a KL to the reference that grew by more than so many nats a step over the last three steps at most,
at once and without patience. It shows what a delay costs: at each limit the healthy runs alarmed, and the median delay.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.diagnosis_logs import LabelledLog, logs_below
from benchmarks.diagnosis_tables import share
from benchmarks.diagnosis_tools import OWN, Said, examine
from benchmarks.harness import markdown
from benchmarks.harness.markdown import median

LIMITS = (math.inf, 0.12, 0.06, 0.04, 0.02, 0.01)  # nats a step; infinite: our rules alone
WINDOW = 3  # steps
KL = "policy/kl_ref"


class Point(NamedTuple):
    """A limit: which of the healthy runs are alarmed, and the delay of each collapse."""

    limit: float
    alarmed: Sequence[bool]
    delays: Sequence[float]


def quick_alarms(log: LabelledLog, limit: float) -> list[int]:
    """The steps at which the quick alarm is given."""
    points = [(row["step"], row[KL]) for row in log.rows if KL in row]
    found = []
    for at in range(1, len(points)):
        (begun, before), (step, now) = points[max(at - WINDOW, 0)], points[at]
        if (now - before) / (step - begun) > limit:
            found.append(int(step))
    return found


def point(logs: Sequence[LabelledLog], said: Sequence[Said], limit: float) -> Point:
    """What our rules and the quick alarm together do at a limit."""
    alarmed, delays = [], []
    for log, ours in zip(logs, said, strict=True):
        quick = quick_alarms(log, limit)
        if log.case == "healthy":
            alarmed.append(bool(quick or ours.found))
        elif log.case == "collapsed" and log.onset is not None:
            late = [step for step in quick if step >= log.onset] + ([] if ours.alarm is None else [ours.alarm])
            delays.append(min(late, default=math.inf) - log.onset)
    return Point(limit, alarmed, delays)


def table(points: Sequence[Point]) -> str:
    """A line a limit."""
    head = ("quick alarm, nats a step", "healthy runs alarmed", "collapses", "median delay")
    rows = [
        [
            "none" if math.isinf(one.limit) else f"{one.limit:g}",
            share(sum(one.alarmed), len(one.alarmed)),
            str(len(one.delays)),
            f"{median(one.delays):g}",
        ]
        for one in points
    ]
    return markdown.table(head, rows)


def main() -> None:
    """Print the table of the given folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    logs = [log for folder in parser.parse_args().folders for log in logs_below(folder)]
    said = examine(OWN, logs)
    print(table([point(logs, said, limit) for limit in LIMITS]))


if __name__ == "__main__":
    main()
