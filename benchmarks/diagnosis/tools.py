"""The tools of benchmarks.diagnosis on the same logs: what each finds in a log, and when first."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.diagnosis.logs import THEIRS, LabelledLog, Rows
from benchmarks.diagnosis.names import STILL
from benchmarks.diagnosis.simulated import STILL as OURS_STILL
from benchmarks.harness import child_process

SIDES = {name: Path(__file__).parents[1] / "peers" / f"{name}_side.py" for name in ("rldoctor", "rlwatch")}
OWN, RENAMED = "tvo", "tvo (TRL's columns)"
TOOLS = (OWN, RENAMED, *SIDES)
LOOKED_AT = 40  # prefixes of a log, at most about, that rldoctor is shown to find its first alarm


class Told(NamedTuple):
    """How one of our findings was told."""

    step: int
    message: str


class Said(NamedTuple):
    """What a tool says of a log."""

    found: list[tuple[str, str]]  # name and severity (warning, critical), the worst first
    alarm: int | None  # the first step from the onset on at which it says anything
    verdict: bool = True  # whether what it found counts in its verdict on the whole log; a peer has no such rule
    told: Sequence[Told] = ()  # of each found: by ours only

    def without_plateau(self, tool: str) -> Said:
        """The same without what is rightly said of a run that learns nothing."""
        rightly = STILL.get(tool, OURS_STILL)
        return self._replace(found=[one for one in self.found if one[0] not in rightly])


def examine(tool: str, logs: Sequence[LabelledLog], python: str = "") -> list[Said]:
    """What a tool says of each log; `python`: the interpreter that has a peer."""
    if tool in SIDES:
        return _by_peer(tool, logs, python)
    with _silent():
        return [_of_ours(log, renamed=tool == RENAMED or log.names == THEIRS) for log in logs]


def _of_ours(log: LabelledLog, *, renamed: bool) -> Said:
    return _of_finished(log) if log.source == "simulated" else _by_monitor(log, renamed=renamed)


def _of_finished(log: LabelledLog) -> Said:
    """Our rules over a whole log: what they find live (tests/diagnosis/test_examiner.py), in a fraction of the time.

    For logs of which nobody asks at which step the alarm came.
    """
    from tvo_cli.diagnosis.diagnosis import diagnose
    from tvo_cli.diagnosis.finding import SEVERITIES
    from tvo_cli.diagnosis.training_log import RunFacts, TrainingLog

    facts = RunFacts(planned=int(log.rows[-1]["step"]), prompts=log.prompts, samples=log.samples)
    said = diagnose(TrainingLog(facts, tuple(log.rows)))
    return Said([(one.failure, one.severity) for one in said.findings], None, said.verdict in SEVERITIES)


def _by_monitor(log: LabelledLog, *, renamed: bool) -> Said:
    """Our rules, live, as `StabilityMonitor` in somebody's loop."""
    from tvo_cli.diagnosis.finding import SEVERITIES
    from tvo_cli.diagnosis.stability_monitor import StabilityMonitor

    rows = log.as_trl_logs_it() if renamed else log.rows
    monitor = StabilityMonitor(
        planned=int(rows[-1]["step"]),
        tool="trl" if renamed else "other",
        prompts=log.prompts,
        samples=log.samples,
        clip_norm=None if renamed else log.clip_norm,
    )
    alarms = []
    for row in rows:
        begun = monitor.log(row["step"], {name: value for name, value in row.items() if name != "step"})
        alarms += [int(row["step"])] * bool(begun)
    from_onset = [step for step in alarms if log.onset is not None and step >= log.onset]
    found = [(one.failure, one.severity) for one in monitor.findings]
    counts = bool(found) and monitor.diagnosis().verdict in SEVERITIES
    told = [Told(one.alarm_step, one.message) for one in monitor.findings]
    return Said(found, min(from_onset, default=None), counts, told)


def _by_peer(tool: str, logs: Sequence[LabelledLog], python: str) -> list[Said]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "logs.jsonl"
        file.write_text("".join(_line(log) for log in logs), encoding="utf-8")
        said = child_process.run([python, str(SIDES[tool]), "logs", str(file)])["logs"]
    return [Said([(name, severity) for name, severity in one["found"]], one["alarm"]) for one in said]


def _line(log: LabelledLog) -> str:
    rows: Rows = log.as_trl_logs_it()
    told = {"id": log.id, "rows": rows, "config": dict(log.config), "onset": log.onset}
    return json.dumps(told | {"every": max(len(rows) // LOOKED_AT, 1)}) + "\n"


@contextmanager
def _silent() -> Iterator[None]:
    log = logging.getLogger("tvo")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
