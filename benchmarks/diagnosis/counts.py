"""What the tools said of labelled logs, counted: the rows of benchmarks.diagnosis's record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from benchmarks.diagnosis.logs import LabelledLog, falls_on_the_way
from benchmarks.diagnosis.names import is_right
from benchmarks.diagnosis.sets import BY_NAME, half_of
from benchmarks.diagnosis.tools import Said
from benchmarks.harness.record import Row, by_name, flag, number, numbers, text

CASES = {
    "source": text("faults: injected; runs: labelled by their end; scenarios: simulated by rldoctor; simulated: by us"),
    "group": text("the seed, or the set of runs, or the steps"),
    "tool": text("who examined the logs"),
    "case": text("the fault or the scenario; of other runs how they ended"),
    "end": text("how the run ended by its last evaluation; empty: simulated"),
    "standing": text("what a figure is worth (benchmarks/diagnosis/sets.py)"),
    "logs": number("logs", "1"),
    "found": number("logs in which the tool finds anything, at any step", "1"),
    "fell": number("logs whose accuracy falls on the way: a mean of three batches under 0.8 of the best before", "1"),
    "fell_found": number("of these those in which it finds anything", "1"),
    "critical": number("logs in which it finds something critical", "1"),
    "verdicts": number("logs whose end it judges by something found: ours forgets a warning that is over", "1"),
    "failures": by_name("logs in which it finds this, by its name for it", "1"),
    "named": number("logs with an alarm at or after the onset; of unknown onset, with a finding", "1"),
    "right": number("logs whose first finding has a right name (benchmarks/diagnosis/names.py)", "1"),
    "delays": numbers("steps from the onset to the alarm; null: none", "steps"),
}
ALARMS = {
    "source": text("faults, runs"),
    "group": text("the seed, or the set of runs"),
    "tool": text("ours, with which columns"),
    "algorithm": text("of the healthy run"),
    "seed": number("of the run", "1"),
    "failure": text("what was found"),
    "severity": text("warning, critical; a critical one that is over long since is a warning"),
    "step": number("at which it was told", "steps"),
    "counts": flag("whether the verdict on the whole log is not healthy"),
    "message": text("what the tool says"),
}
Examined = Sequence[tuple[LabelledLog, Said]]


def standing_of(log: LabelledLog, group: str) -> str:
    """What a figure of this log is worth."""
    if log.source == "runs":
        return BY_NAME[group].standing_of(log.seed)
    return "read" if log.source == "scenarios" else half_of(log.seed)


def cases(tool: str, group: str, examined: Examined) -> list[Row]:
    """A row for each case, end and standing."""
    found: dict[tuple[str, str, str], list[tuple[LabelledLog, Said]]] = {}
    for log, said in examined:
        found.setdefault((log.case, log.end, standing_of(log, group)), []).append((log, said))
    return [
        {"case": case, "end": end, "standing": standing, **counts(tool, of_case)}
        for (case, end, standing), of_case in found.items()
    ]


def counts(tool: str, found: Examined) -> Row:
    """The sums of one case."""
    found = [(log, said.without_plateau(tool) if log.case == "still" else said) for log, said in found]
    named = [said.alarm is not None if log.onset is not None else bool(said.found) for log, said in found]
    right = [one and is_right(tool, log.case, said.found[0][0]) for one, (log, said) in zip(named, found) if said.found]
    fell = [said for log, said in found if falls_on_the_way(log.rows)]
    known = [(log.onset, said.alarm) for log, said in found if log.onset is not None]
    return {
        "logs": len(found),
        "found": sum(bool(said.found) for _, said in found),
        "fell": len(fell),
        "fell_found": sum(bool(said.found) for said in fell),
        "critical": sum(any(severity == "critical" for _, severity in said.found) for _, said in found),
        "verdicts": sum(said.verdict and bool(said.found) for _, said in found),
        "failures": Counter(name for _, said in found for name in dict.fromkeys(name for name, _ in said.found)),
        "named": sum(named),
        "right": sum(right),
        "delays": [None if alarm is None else alarm - onset for onset, alarm in known],
    }


def alarms(examined: Examined) -> list[Row]:
    """Each finding in a healthy run."""
    return [row for log, said in examined if log.case == "healthy" for row in _alarms_of(log, said)]


def _alarms_of(log: LabelledLog, said: Said) -> Iterable[Row]:
    for (failure, severity), told in zip(said.found, said.told, strict=True):
        found = {"failure": failure, "severity": severity, "step": told.step, "message": told.message}
        yield {"algorithm": log.algorithm, "seed": log.seed, "counts": said.verdict, **found}
