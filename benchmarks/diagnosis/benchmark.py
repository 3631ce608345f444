"""Error rates of `tvo diagnose` beside rldoctor and rlwatch: docs/results/diagnosis.md.

    python -m benchmarks.diagnosis                  # everything; resumable
    python -m benchmarks.diagnosis --read RECORD    # all tables of the page

faults: runs with injected faults; runs: finished runs, labelled by their end, of the second edition and of the momentum
study; scenarios: rldoctor's simulated ones; simulated: healthy logs of our own, 50 to 10,000 steps, and some ill ones;
graded: responses whose verdicts are given again; time: how long ten thousand steps take.

The logs of faults and runs are kept in docs/results/diagnosis; only `graded` trains, nine runs of 36 steps. All tools
see the same logs, with TRL's columns; ours is shown its own columns too. A peer that is not there and cannot be
installed is left out, and the record says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

from benchmarks.diagnosis import graded, speed, trade_off
from benchmarks.diagnosis.counts import ALARMS, CASES, Examined, alarms, cases
from benchmarks.diagnosis.faults import FAULTS
from benchmarks.diagnosis.kept import KEPT, kept_log, kept_runs
from benchmarks.diagnosis.logs import OURS, THEIRS, LabelledLog, log_of_fault
from benchmarks.diagnosis.runs import FaultRun, runs, trained
from benchmarks.diagnosis.sets import SETS
from benchmarks.diagnosis.simulated import LENGTHS, PROMPTS, SAMPLES, case_of, kinds_of, simulated_rows
from benchmarks.diagnosis.tables import table
from benchmarks.diagnosis.tools import OWN, SIDES, TOOLS, examine
from benchmarks.harness import child_process
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.child_process import FOLDER
from benchmarks.harness.record import Row, text
from benchmarks.harness.settings import Settings, option
from benchmarks.peers.environment import PeerMissing, interpreter, version_there

Part = Literal["faults", "runs", "scenarios", "simulated", "graded", "time"]
Source = Literal["faults", "runs", "scenarios", "simulated"]
PARTS: tuple[Part, ...] = ("faults", "runs", "scenarios", "simulated", "graded", "time")
TABLES = {
    "tools": {
        "tool": text("who examined logs"),
        "version": text("of a peer; empty: ours, or a peer that is not there"),
        "left_out": text("why a peer is not there; empty: it is"),
    },
    "cases": CASES,
    "alarms": ALARMS,
    "trade_off": trade_off.FIELDS,
    "graded": graded.FIELDS,
    "time": speed.FIELDS,
}


class Chosen(Settings):
    """What can be chosen."""

    parts: tuple[Part, ...] = option(PARTS, "which logs")
    seeds: tuple[int, ...] = option(tuple(range(10)), "of faults, scenarios and simulated logs", min_length=1)
    folder: Path = option(Path("outputs/diagnosis"), "where runs with faults are trained")
    kept: Path = option(KEPT, "where logs are kept; the log of a run with a fault that is not there is made and kept")
    sets: tuple[str, ...] = option(tuple(one.name for one in SETS), "which sets of finished runs")
    lengths: tuple[int, ...] = option(LENGTHS, "steps of the logs that we simulate", min_length=1)
    only: tuple[str, ...] = option((), "only these faults")
    tools: tuple[str, ...] = option(TOOLS, "only these")
    tries: int = option(3, "of the times", ge=1)
    core: str = option("", "pin the timed commands to this core")
    rldoctor_python: str = option("", "an interpreter that has rldoctor 0.2.0; none: an environment is made")
    rlwatch_python: str = option("", "an interpreter that has rlwatch 0.5.1; none: an environment is made")


QUICK = {
    **{"parts": ("faults",), "seeds": (1,), "only": ("rate_30",), "tools": TOOLS[:2]},
    "folder": FOLDER / "quick" / "diagnosis",
}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """The tools; then source by source, seed by seed, tool by tool; then verdicts given again and times."""
    there = []
    for tool in settings.tools:
        yield Measurement("tools", {"tool": tool}, partial(_there, settings, tool))
        there += [tool] if not _there(settings, tool)["left_out"] else []
    for source in _groups(settings):
        yield from _examinations(settings, source, there)
    if "graded" in settings.parts:
        for run in graded.runs_graded():
            key = {"fault": run.fault.name, "algorithm": run.algorithm, "seed": run.seed}
            yield Measurement("graded", key, partial(graded.graded, run, settings.folder))
    if "time" in settings.parts:
        for log in speed.LOGS:
            timed = partial(speed.timed, log, settings.tries, settings.core)
            yield Measurement("time", {"log": log}, timed)


@lru_cache
def _there(settings: Chosen, tool: str) -> Row:
    """Whether a tool can be asked, and which it is."""
    if tool not in SIDES:
        return {"version": "", "left_out": ""}
    try:
        return {"version": version_there(_python(settings, tool), tool), "left_out": ""}
    except PeerMissing as reason:
        return {"version": "", "left_out": str(reason)}


def _python(settings: Chosen, peer: str) -> str:
    return interpreter(peer, getattr(settings, f"{peer}_python"))


def _groups(settings: Chosen) -> dict[Source, Sequence[str]]:
    """Of each source what is measured together."""
    seeds = [str(seed) for seed in settings.seeds]
    every: dict[Source, Sequence[str]] = {"faults": seeds, "runs": settings.sets, "scenarios": seeds}
    every["simulated"] = [str(steps) for steps in settings.lengths]
    return {source: groups for source, groups in every.items() if source in settings.parts}


def _examinations(settings: Chosen, source: Source, there: Sequence[str]) -> Iterator[Measurement]:
    """What the tools say of a source's logs; rldoctor makes the scenarios, and only ours is shown simulated logs."""
    if source == "scenarios" and "rldoctor" not in there:
        return
    for group in _groups(settings)[source]:
        for tool in there if source != "simulated" else [OWN]:
            key, asked = {"source": source, "group": group, "tool": tool}, (settings, source, group, tool)
            yield Measurement("cases", key, partial(_cases, *asked))
            if tool not in SIDES and source in ("faults", "runs"):
                yield Measurement("alarms", key, partial(_alarms, *asked))
            if tool == OWN and source == "runs":
                yield Measurement("trade_off", {"group": group}, partial(_points, *asked))


def _cases(settings: Chosen, source: Source, group: str, tool: str) -> list[Row]:
    return cases(tool, group, _examined(settings, source, group, tool))


def _alarms(settings: Chosen, source: Source, group: str, tool: str) -> list[Row]:
    return alarms(_examined(settings, source, group, tool))


def _points(settings: Chosen, source: Source, group: str, tool: str) -> list[Row]:
    return trade_off.points(_examined(settings, source, group, tool), group)


@lru_cache(maxsize=1)
def _examined(settings: Chosen, source: Source, group: str, tool: str) -> Examined:
    logs = _logs(settings, source, group)
    said = examine(tool, logs, _python(settings, tool) if tool in SIDES else "")
    return list(zip(logs, said, strict=True))


@lru_cache(maxsize=1)
def _logs(settings: Chosen, source: Source, group: str) -> list[LabelledLog]:
    return LOGS[source](settings, group)


def _logs_of_faults(settings: Chosen, group: str) -> list[LabelledLog]:
    """Those of a seed, after training where they are not there."""
    chosen = [run for run in runs((int(group),)) if not settings.only or run.fault.name in settings.only]

    def make(run: FaultRun) -> LabelledLog:
        return log_of_fault(trained(run, settings.folder))

    return [kept_log(run, settings.kept / "faults", make) for run in chosen]


def _logs_of_runs(settings: Chosen, group: str) -> list[LabelledLog]:
    return kept_runs(group, settings.kept / "runs")


def _logs_of_scenarios(settings: Chosen, group: str) -> list[LabelledLog]:
    """rldoctor's twelve, simulated by itself; the onset is known to nobody."""
    peer = "rldoctor"
    made = child_process.run([_python(settings, peer), str(SIDES[peer]), "simulate", group])["logs"]
    return [_scenario(one) for one in made]


def _scenario(made: dict[str, Any]) -> LabelledLog:
    known = made["scenario"], "simulated", made["seed"], None
    return LabelledLog("scenarios", *known, "", made["rows"], THEIRS, made["config"])


def _logs_simulated(settings: Chosen, group: str) -> list[LabelledLog]:
    """Our own of one length, healthy and ill, by our names."""
    sizes = {"num_generations": SAMPLES, "train_batch_size": PROMPTS * SAMPLES, "max_completion_length": 1024}
    return [
        LabelledLog("simulated", case_of(kind), kind, seed, None, "", rows, OURS, sizes)
        for seed in settings.seeds
        for kind in kinds_of(int(group), seed)
        for rows in [simulated_rows(kind, int(group), seed)]
    ]


LOGS = {
    **{"faults": _logs_of_faults, "runs": _logs_of_runs},
    **{"scenarios": _logs_of_scenarios, "simulated": _logs_simulated},
}
NOTES = (
    "faults: " + "; ".join(f"{fault.name}: {fault.about}, from step {fault.onset}" for fault in FAULTS),
    "rldoctor: its diagnosis of the whole log; its first alarm is that of its diagnosis of the log as it stood then",
    "rlwatch: its defaults, step by step, warm-up of 20 to 50 steps included",
)
BENCHMARK = Benchmark("diagnosis", __doc__, Chosen, QUICK, TABLES, measure, table, notes=NOTES, any_machine=True)
