"""The diagnosis of a log: verdict and findings, the worst first, each with what it has cost and what to change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tvo_cli.diagnosis.cost import cost_of_finding
from tvo_cli.diagnosis.examiner import Examiner
from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import SEVERITIES, Finding, Remedy, worst_finding_first
from tvo_cli.diagnosis.graded_again import FAILURE as WRONG_VERDICTS
from tvo_cli.diagnosis.graded_again import wrong_verdicts_in_folder
from tvo_cli.diagnosis.own_run_remedies import remedies_in_folder
from tvo_cli.diagnosis.registry import FAILURES
from tvo_cli.diagnosis.training_log import RunFacts, TrainingLog

HEALTHY, UNKNOWN = "healthy", "unknown"
VERDICTS = (HEALTHY, UNKNOWN, *SEVERITIES)  # the worst last
SHORT = 3  # steps below which a verdict of health says nothing


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a log shows."""

    log: TrainingLog
    verdict: str  # critical, warning, healthy; unknown: too short, or nothing could be examined
    findings: tuple[Finding, ...]  # the worst first
    not_examined: Mapping[str, Sequence[str]]  # by failure: the columns that are missing

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be known besides: of the file, and of a log that is too short."""
        steps = sum(1 for row in self.log.rows if len(row) > 1)
        short = (f"{steps} step{'s' if steps > 1 else ''} only: no trend can be told",) if steps < SHORT else ()
        return (*self.log.notes, *short)


def diagnose(
    log: TrainingLog,
    failures: Sequence[Failure] = FAILURES,
    thresholds: Mapping[str, Mapping[str, float]] | None = None,
) -> Diagnosis:
    """Diagnose a log: the examiner over its rows, as a live monitor shows them to it; then costs and remedies.

    Where nobody knows how many steps were asked for, or fewer than there are, those that the log has count as all.
    """
    facts = replace(log.facts, planned=log.budget or None)
    examiner = Examiner(facts, failures, thresholds)
    examiner.observe_all(log.rows)
    known = {failure.name: failure for failure in failures}
    again = wrong_verdicts_in_folder(log) if WRONG_VERDICTS in known else None
    findings = _with_finding(examiner.findings(), again)
    off = {name: missing for name, missing in examiner.not_examined().items() if again is None or name != again.failure}
    counted = _with_finding(examiner.counting(), again)
    unknown = len(off) == len(examiner.failures) or len(log.rows) < SHORT
    verdict = counted[0].severity if counted else UNKNOWN if unknown else HEALTHY
    full = tuple(
        replace(one, cost=cost_of_finding(log, one), remedies=tuple(remedies(known[one.failure], log.facts, one)))
        for one in findings
    )
    return Diagnosis(log, verdict, full, off)


def _with_finding(findings: Sequence[Finding], more: Finding | None) -> list[Finding]:
    """Return findings with one that is sure, instead of what the rules say of the same failure; the worst first."""
    if more is None:
        return list(findings)
    others = [one for one in findings if one.failure != more.failure]
    return sorted([more, *others], key=worst_finding_first)


def remedies(failure: Failure, facts: RunFacts, finding: Finding) -> Iterator[Remedy]:
    """Yield what to change, in order; of a run folder of ours also where to go on from, and what to look at."""
    yield from (one for one in failure.remedies(facts, finding) if one.text)
    if facts.folder is not None:
        yield from remedies_in_folder(facts.folder, finding)


def worst(verdicts: Sequence[str]) -> str:
    """Return the worst of several verdicts."""
    return max(verdicts, key=VERDICTS.index)
