"""The diagnosis of a log: verdict and findings, the worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tvo_cli.diagnosis.examiner import Examiner
from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding
from tvo_cli.diagnosis.registry import FAILURES
from tvo_cli.diagnosis.training_log import TrainingLog

HEALTHY, UNKNOWN = "healthy", "unknown"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a log shows."""

    log: TrainingLog
    verdict: str  # critical, warning, healthy; unknown: nothing could be examined
    findings: tuple[Finding, ...]  # the worst first
    not_examined: Mapping[str, Sequence[str]]  # by failure: the columns that are missing


def diagnose(
    log: TrainingLog,
    failures: Sequence[Failure] = FAILURES,
    thresholds: Mapping[str, Mapping[str, float]] | None = None,
) -> Diagnosis:
    """Diagnose a log: the examiner over its rows, as a live monitor shows them to it."""
    examiner = Examiner(log.facts, failures, thresholds)
    for row in log.rows:
        examiner.observe(row)
    findings, off = tuple(examiner.findings()), examiner.not_examined()
    verdict = findings[0].severity if findings else (UNKNOWN if len(off) == len(examiner.failures) else HEALTHY)
    return Diagnosis(log, verdict, findings, off)
