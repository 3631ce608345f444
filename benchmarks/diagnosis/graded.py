"""Verdicts given again: runs with a verifier that errs, and healthy ones, whose kept responses are graded once more.

The logs of runs that are kept have no responses, so these are trained: nine runs of 36 steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.diagnosis.runs import HEALTHY, FaultRun, runs, trained
from benchmarks.harness import markdown
from benchmarks.harness.record import Row, flag, number, text
from tvo_cli.diagnosis.graded_again import graded_steps, wrong_verdicts_in_folder
from tvo_cli.diagnosis.logs_to_diagnose import read_logs

SEEDS = (1, 3, 5, 7, 9)  # of `flipped`; of the others the first
FIELDS = {
    "fault": text("what is wrong with the verifier; healthy: nothing"),
    "algorithm": text("of the run"),
    "seed": number("of the run", "1"),
    "responses": number("of training that were graded again", "1"),
    "differing": number("of these, with another verdict", "1"),
    "named": flag("whether `tvo diagnose` names wrong verdicts because of them"),
    "severity": text("warning, critical; empty: it finds nothing"),
}


def runs_graded() -> list[FaultRun]:
    """Those whose verdicts are given again."""
    first, flipped = SEEDS[:1], "flipped"
    plan = [run for run in runs(SEEDS) if run.fault.name == flipped]
    return plan + [run for run in runs(first) if run.fault.name in ("accepts_all", HEALTHY.name)]


def graded(run: FaultRun, root: Path) -> Row:
    """What comes out of the responses of a run, after training where it is not there."""
    (log,) = read_logs([trained(run, root)]).logs
    found = wrong_verdicts_in_folder(log)
    steps = list(graded_steps(run.folder(root) / "responses", log.facts))
    return {
        "responses": sum(step.rows for step in steps),
        "differing": sum(len(step.wrong) for step in steps),
        "named": found is not None,
        "severity": "" if found is None else found.severity,
    }


def table(rows: Sequence[Row]) -> str:
    """A line a run."""
    head = ("verifier", "algorithm", "seed", "responses graded again", "with another verdict", "named")
    lines = [[*(row[name] for name in FIELDS if name not in ("named", "severity")), _named(row)] for row in rows]
    return markdown.table(head, lines)


def _named(row: Row) -> str:
    return row["severity"] if row["named"] else "no"
