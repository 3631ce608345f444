"""Error rates of `tvo diagnose` beside rldoctor and rlwatch: docs/results/diagnosis.md.

python -m benchmarks.diagnosis --runs FOLDER …         # everything; FOLDER: finished runs of docs/results' experiments
python -m benchmarks.diagnosis --untouched FOLDER …    # the same, but no threshold was set on any of their seeds
python -m benchmarks.diagnosis --parts faults          # runs with injected faults: made once, in outputs/diagnosis
python -m benchmarks.diagnosis --parts scenarios       # rldoctor's own simulated scenarios
python -m benchmarks.diagnosis --parts simulated       # healthy logs of our own, 50 to 10,000 steps, and some ill ones

All tools see the same logs, with TRL's columns; ours is shown its own columns too. Thresholds were set on even seeds,
the tables have odd ones; of the simulated scenarios, on which no threshold was set, all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from benchmarks.diagnosis_faults import FAULTS
from benchmarks.diagnosis_kept import kept_log
from benchmarks.diagnosis_logs import OURS, THEIRS, LabelledLog, log_of_fault, logs_below
from benchmarks.diagnosis_names import is_right
from benchmarks.diagnosis_runs import FaultRun, runs, trained
from benchmarks.diagnosis_simulated import LENGTHS, PROMPTS, SAMPLES, case_of, kinds_of, simulated_rows
from benchmarks.diagnosis_tables import table
from benchmarks.diagnosis_tools import SIDES, TOOLS, Said, examine
from benchmarks.harness import child_process
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.child_process import FOLDER
from benchmarks.harness.record import Row, by_name, number, numbers, text
from benchmarks.harness.settings import Settings, option
from benchmarks.peers.environment import interpreter

Part = Literal["faults", "runs", "scenarios", "simulated"]
TABLES = {
    "cases": {
        "source": text(
            "faults: injected; runs: labelled by their end; scenarios: simulated by rldoctor; simulated: by us"
        ),
        "group": text("the seed, or the folder, or the steps"),
        "tool": text("who examined the logs"),
        "case": text("the fault or the scenario; of other runs how they ended"),
        "end": text("how the run ended by its last evaluation; empty: simulated"),
        "half": text("even: thresholds were set on it; odd: figures; all: no threshold was set on any of them"),
        "logs": number("logs", "1"),
        "found": number("logs in which the tool finds anything, at any step", "1"),
        "critical": number("logs in which it finds something critical", "1"),
        "verdicts": number("logs whose end it judges by something found: ours forgets a warning that is over", "1"),
        "failures": by_name("logs in which it finds this, by its name for it", "1"),
        "named": number("logs with an alarm at or after the onset; of unknown onset, with a finding", "1"),
        "right": number("logs whose first finding has a right name (benchmarks/diagnosis_names.py)", "1"),
        "delays": numbers("steps from the onset to the alarm; null: none", "steps"),
    }
}


class Chosen(Settings):
    """What can be chosen."""

    parts: tuple[Part, ...] = option(("faults", "runs", "scenarios", "simulated"), "which logs")
    seeds: tuple[int, ...] = option(tuple(range(10)), "of the runs with faults, and of the scenarios", min_length=1)
    folder: Path = option(Path("outputs/diagnosis"), "where the runs with faults lie")
    kept: str = option("", "a folder that keeps their logs, 10 KB each, for another machine to go on; none: not kept")
    runs: tuple[Path, ...] = option((), "folders of finished runs, or of the console logs of a sweep's jobs")
    untouched: tuple[Path, ...] = option((), "the same, of which no seed was looked at for a threshold")
    lengths: tuple[int, ...] = option(LENGTHS, "steps of the logs that we simulate", min_length=1)
    only: tuple[str, ...] = option((), "only these faults")
    tools: tuple[str, ...] = option(TOOLS, "only these")
    rldoctor_python: str = option("", "an interpreter that has rldoctor 0.2.0; none: an environment is made")
    rlwatch_python: str = option("", "an interpreter that has rlwatch 0.5.1; none: an environment is made")

    def python(self, tool: str) -> str:
        """The interpreter of a peer, nothing for ours."""
        return interpreter(tool, getattr(self, f"{tool}_python")) if tool in SIDES else ""


QUICK = {
    **{"parts": ("faults",), "seeds": (0,), "only": ("rate_30",), "tools": TOOLS[:2]},
    "folder": FOLDER / "quick" / "diagnosis",
}


def measure(settings: Chosen) -> Iterator[Measurement]:
    """Source by source, seed by seed, tool by tool."""
    for source in settings.parts:
        for group in _groups(settings, source):
            for tool in settings.tools:
                key = {"source": source, "group": group, "tool": tool}
                yield Measurement("cases", key, partial(_examined, settings, source, group, tool))


def _groups(settings: Chosen, source: Part) -> Sequence[str]:
    if source == "simulated":
        return [str(steps) for steps in settings.lengths]
    folders = [path.name for path in (*settings.runs, *settings.untouched)]
    return folders if source == "runs" else [str(seed) for seed in settings.seeds]


def _examined(settings: Chosen, source: Part, group: str, tool: str) -> list[Row]:
    logs = LOGS[source](settings, group)
    said = examine(tool, logs, settings.python(tool))
    whole = source == "scenarios" or group in {path.name for path in settings.untouched}
    cases: dict[tuple[str, str, str], list[tuple[LabelledLog, Said]]] = {}
    for log, one in zip(logs, said, strict=True):
        half = "all" if whole else "odd" if log.seed % 2 else "even"
        cases.setdefault((log.case, log.end, half), []).append((log, one))
    return [
        {"case": case, "end": end, "half": half, **_counts(tool, found)} for (case, end, half), found in cases.items()
    ]


def _counts(tool: str, found: Sequence[tuple[LabelledLog, Said]]) -> Row:
    """The sums of one case."""
    found = [(log, said.without_plateau(tool) if log.case == "still" else said) for log, said in found]
    named = [said.alarm is not None if log.onset is not None else bool(said.found) for log, said in found]
    right = [one and is_right(tool, log.case, said.found[0][0]) for one, (log, said) in zip(named, found) if said.found]
    known = [(log.onset, said.alarm) for log, said in found if log.onset is not None]
    return {
        "logs": len(found),
        "found": sum(bool(said.found) for _, said in found),
        "critical": sum(any(severity == "critical" for _, severity in said.found) for _, said in found),
        "verdicts": sum(said.verdict and bool(said.found) for _, said in found),
        "failures": Counter(name for _, said in found for name in dict.fromkeys(name for name, _ in said.found)),
        "named": sum(named),
        "right": sum(right),
        "delays": [None if alarm is None else alarm - onset for onset, alarm in known],
    }


def _logs_of_faults(settings: Chosen, group: str) -> list[LabelledLog]:
    """Those of a seed, after training where they are not there."""
    chosen = [run for run in runs((int(group),)) if not settings.only or run.fault.name in settings.only]

    def make(run: FaultRun) -> LabelledLog:
        return log_of_fault(trained(run, settings.folder))

    return [kept_log(run, Path(settings.kept), make) if settings.kept else make(run) for run in chosen]


def _logs_of_runs(settings: Chosen, group: str) -> list[LabelledLog]:
    return [log for path in (*settings.runs, *settings.untouched) if path.name == group for log in logs_below(path)]


def _logs_of_scenarios(settings: Chosen, group: str) -> list[LabelledLog]:
    """rldoctor's twelve, simulated by itself; the onset is known to nobody."""
    made = child_process.run([settings.python("rldoctor"), str(SIDES["rldoctor"]), "simulate", group])["logs"]
    return [_scenario(one) for one in made]


def _logs_simulated(settings: Chosen, group: str) -> list[LabelledLog]:
    """Our own of one length, healthy and ill, by our names."""
    sizes = {"num_generations": SAMPLES, "train_batch_size": PROMPTS * SAMPLES, "max_completion_length": 1024}
    return [
        LabelledLog("simulated", case_of(kind), kind, seed, None, "", rows, OURS, sizes)
        for seed in settings.seeds
        for kind in kinds_of(int(group), seed)
        for rows in [simulated_rows(kind, int(group), seed)]
    ]


def _scenario(made: dict[str, Any]) -> LabelledLog:
    known = made["scenario"], "simulated", made["seed"], None
    return LabelledLog("scenarios", *known, "", made["rows"], THEIRS, made["config"])


LOGS = {
    **{"faults": _logs_of_faults, "runs": _logs_of_runs},
    **{"scenarios": _logs_of_scenarios, "simulated": _logs_simulated},
}
NOTES = (
    "faults: " + "; ".join(f"{fault.name}: {fault.about}, from step {fault.onset}" for fault in FAULTS),
    "rldoctor: its diagnosis of the whole log; its first alarm is that of its diagnosis of the log as it stood then",
    "rlwatch: its defaults, step by step, warm-up of 20 to 50 steps included",
)
BENCHMARK = Benchmark(Path(__file__).stem, __doc__, Chosen, QUICK, TABLES, measure, table, notes=NOTES)

if __name__ == "__main__":
    BENCHMARK.main()
