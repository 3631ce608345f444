"""The examiner: shows a log's steps to the rules of every failure, one after the other, live or afterwards."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tvo_cli.diagnosis.failure import SEVERITY_OF_RULE, Failure, set_thresholds
from tvo_cli.diagnosis.finding import CRITICAL, SEVERITIES, WARNING, Finding
from tvo_cli.diagnosis.registry import FAILURES
from tvo_cli.diagnosis.training_log import REFUSED, Row, RunFacts
from tvo_cli.stability.rule_interface import CollapseRule, RuleFiring
from tvo_cli.tracking.metric_names import is_evaluation_metric

START = 3  # values whose mean is a metric's start in the evidence
SETTLED = 10  # rows without the condition after which a critical finding is over, and a warning


@dataclass
class _ExaminedRule:
    """A rule of a failure, with the steps at which its condition held."""

    failure: Failure
    rule: CollapseRule
    begun: int = 0  # first step of the present streak
    finding: Finding | None = None


class Examiner:
    """Examines a run step by step: `observe` every row in order, then `findings`.

    `thresholds`: by failure, fields of its rules to set otherwise, for a calibration.
    """

    def __init__(
        self,
        facts: RunFacts,
        failures: Sequence[Failure] = FAILURES,
        thresholds: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        self.facts, self.failures = facts, tuple(failures)
        self.columns: dict[str, list[float]] = {}  # the first values of each, for the evidence
        self.step = self._first = self._rows = 0
        self._refusals, self._refused = math.inf, False  # so far, and whether the row at hand is of a refused batch
        self._started: set[str] = set()  # the columns whose first values are known
        self._told: dict[str, str] = {}  # by failure: the severity with which `observe` has returned it
        self._watched = [_ExaminedRule(failure, rule) for failure in failures for rule in failure.rules(facts)]
        for watched in self._watched:
            set_thresholds([watched.rule], (thresholds or {}).get(watched.failure.name, {}))

    def observe(self, row: Row) -> list[Finding]:
        """Show one row, with its "step"; return the findings that begin at it or become critical."""
        self.step = int(row["step"])
        self._first = self.step if self._rows == 0 else self._first
        self._rows += 1
        row = self._judged(row)
        for name in row.keys() - self._started:
            first = self.columns.setdefault(name, [])
            if math.isfinite(row[name]):
                first.append(row[name])
            if len(first) == START:
                self._started.add(name)
        begun = [watched for watched in self._watched if self._show(watched, row)]
        return [one for one in self.findings() if self._is_news(one)] if begun else []

    def _judged(self, row: Row) -> Row:
        """The row; of a step whose batch was refused only what an evaluation says: the batch's policy is no more."""
        before, self._refusals = self._refusals, row.get(REFUSED, self._refusals)
        self._refused = self._refusals > before
        if not self._refused:
            return row
        return {name: value for name, value in row.items() if name in ("step", REFUSED) or is_evaluation_metric(name)}

    def findings(self) -> list[Finding]:
        """One finding a failure, the worst first: of several rules the most severe, since the earliest's first step."""
        found: dict[str, Finding] = {}
        for watched in self._watched:
            if watched.finding is not None:
                one = _settled(watched.finding, self._since(watched.finding))
                other = found.get(one.failure)
                found[one.failure] = one if other is None else _joined_findings(one, other)
        return sorted(found.values(), key=_worst_finding_first)

    def counting(self) -> list[Finding]:
        """The findings that a verdict counts: all but warnings whose condition ended many rows ago.

        A collapse that is over is a warning and counts, for the run has gone through it.
        """
        return [one for one in self.findings() if one.active or one.was_critical or self._since(one) <= SETTLED]

    def _since(self, finding: Finding) -> float:
        """The rows since a finding's condition held last: a trainer may log every tenth step."""
        steps = self.step - self._first
        return (self.step - finding.last_step) * (self._rows - 1) / steps if steps > 0 else 0.0

    def not_examined(self) -> dict[str, list[str]]:
        """The failures that nothing was said of, and the columns that they lack."""
        lacking = {failure.name: failure.missing(set(self.columns)) for failure in self.failures}
        return {name: columns for name, columns in lacking.items() if columns}

    def _is_news(self, finding: Finding) -> bool:
        """Whether a finding has not been told yet, or only as a warning."""
        if self._told.get(finding.failure) in (finding.severity, CRITICAL):
            return False
        self._told[finding.failure] = finding.severity
        return True

    def _show(self, watched: _ExaminedRule, row: Row) -> bool:
        """Show a row to a rule; return whether it has just found its failure."""
        rule, before = watched.rule, watched.rule.streak
        if getattr(rule, "reads_evaluations", False) and not any(map(is_evaluation_metric, row)):
            return False  # it is shown evaluations only
        if self._refused and not (rule.reads_refused or getattr(rule, "reads_evaluations", False)):
            return False
        firing = rule.check(self.step, row)
        if rule.streak == 1 or rule.streak < before:
            watched.begun = self.step
        if firing is not None:
            first = watched.finding is None
            watched.finding = self._finding(watched, firing)
            return first
        if watched.finding is not None and watched.finding.active:
            watched.finding = replace(watched.finding, active=False)
        return False

    def _finding(self, watched: _ExaminedRule, firing: RuleFiring) -> Finding:
        known = watched.finding
        if known is not None:
            return replace(known, last_step=firing.step, active=True)
        since = getattr(watched.rule, "since", None)
        return Finding(
            failure=watched.failure.name,
            severity=SEVERITY_OF_RULE[firing.severity],
            first_step=watched.begun if since is None else int(since),
            alarm_step=firing.step,
            last_step=firing.step,
            active=True,
            metric=firing.metric,
            message=firing.message,
            evidence=self._evidence(firing),
        )

    def _evidence(self, firing: RuleFiring) -> dict[str, float]:
        first = self.columns.get(firing.metric)
        start = {"start": math.fsum(first) / len(first)} if first else {}
        return {"value": firing.value, "threshold": firing.threshold, **start}


def _settled(finding: Finding, since: float) -> Finding:
    """A finding; a critical one whose condition ended so many rows ago is a warning."""
    over = not finding.active and since > SETTLED
    if not over or finding.severity != CRITICAL:
        return finding
    return replace(finding, severity=WARNING, was_critical=True)


def _joined_findings(one: Finding, other: Finding) -> Finding:
    """Two findings of one failure as one: the more severe, with the earliest first step and alarm."""
    worst = max(other, one, key=lambda finding: SEVERITIES.index(finding.severity))
    first, alarm = min(one.first_step, other.first_step), min(one.alarm_step, other.alarm_step)
    last, active = max(one.last_step, other.last_step), one.active or other.active
    return replace(worst, first_step=first, alarm_step=alarm, last_step=last, active=active)


def _worst_finding_first(finding: Finding) -> tuple[int, bool, int]:
    return -SEVERITIES.index(finding.severity), not finding.active, finding.first_step
