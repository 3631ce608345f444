"""Sums, shares and delays of rows of benchmarks.diagnosis, for its tables."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from benchmarks.harness.record import Row
from tvo_cli.stats.confidence_interval import wilson_interval

SOUND = ("healthy", "stalled", "still")  # ends and cases in which an alarm is a false one


def total(rows: Iterable[Row], name: str) -> int:
    """The sum of a count."""
    return sum(row[name] for row in rows)


def share(count: int, n: int) -> str:
    """`count/n = share [95% Wilson]`."""
    if not n:
        return "–"
    found = wilson_interval(count, n)
    return f"{count}/{n} = {100 * count / n:.1f}% [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def median_delay(rows: Iterable[Row]) -> float:
    """The median of the steps from onset to alarm, an alarm that never came counting as ∞; NaN of nothing."""
    found = [math.inf if one is None else one for row in rows for one in row["delays"]]
    return statistics.median_high(found) if found else math.nan


def shown_delay(value: float) -> str:
    """A delay as a cell."""
    return "–" if math.isnan(value) else "∞" if math.isinf(value) else f"{value:g}"


def delay(rows: Iterable[Row]) -> str:
    """The median delay as a cell."""
    return shown_delay(median_delay(rows))


def of_end(rows: Iterable[Row], end: str) -> Sequence[Row]:
    """Rows of runs that ended so; of runs with faults a healthy one has no fault either."""
    return [
        row for row in rows if row["case"] == end or (end == "collapsed" == row["end"] and row["case"] != "healthy")
    ]
