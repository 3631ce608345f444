"""The examiner: shows a log's steps to the rules of every failure, one after the other, live or afterwards."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tvo_cli.diagnosis.failure import SEVERITY_OF_RULE, Failure, set_thresholds
from tvo_cli.diagnosis.finding import CRITICAL, SEVERITIES, WARNING, Finding
from tvo_cli.diagnosis.registry import FAILURES
from tvo_cli.diagnosis.training_log import REFUSED, Row, RunFacts
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach, RuleFiring
from tvo_cli.tracking.metric_names import is_evaluation_metric

START = 3  # values whose mean is a metric's start in the evidence
SETTLED = 10  # rows without the condition after which a critical finding is over, and a warning


@dataclass
class _ExaminedRule:
    """A rule of a failure, with the steps at which its condition held."""

    failure: Failure
    rule: CollapseRule
    begun: int = 0  # first step of the present streak
    finding: Finding | None = None  # as it was told first
    last_step: int = 0  # at which it held
    breach: RuleBreach | None = None  # at the last step that it was shown, where it lasts

    def found(self) -> Finding | None:
        """The finding as it stands now."""
        if self.finding is None:
            return None
        return replace(self.finding, last_step=self.last_step, active=self.breach is not None)


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
        self._evaluations: set[str] = set()  # the columns of evaluations
        self._told: dict[str, str] = {}  # by failure: the severity with which `observe` has returned it
        self._watched = [_ExaminedRule(failure, rule) for failure in failures for rule in failure.rules(facts)]
        self._of_steps = [one for one in self._watched if not one.rule.reads_evaluations]
        self._of_evaluations = [one for one in self._watched if one.rule.reads_evaluations]
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
            if is_evaluation_metric(name):
                self._evaluations.add(name)
        begun = [watched for watched in self._readers(row) if self._holds(watched, row) and self._is_new(watched)]
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
            known = watched.found()
            if known is not None:
                one = _settled(known, self._since(known))
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

    def _readers(self, row: Row) -> list[_ExaminedRule]:
        """The rules that are shown a row: those of steps, of a refused batch's only some; of evaluations the rest."""
        found = [one for one in self._of_steps if one.rule.reads_refused] if self._refused else self._of_steps
        return found if row.keys().isdisjoint(self._evaluations) else [*found, *self._of_evaluations]

    def _holds(self, watched: _ExaminedRule, row: Row) -> bool:
        """Show a row to a rule; return whether its condition holds, for long enough."""
        rule = watched.rule
        watched.breach = rule.lasting_breach(row)
        if rule.streak == 1:
            watched.begun = self.step
        return watched.breach is not None

    def _is_new(self, watched: _ExaminedRule) -> bool:
        """Take note that the condition of a rule holds; return whether it does for the first time."""
        watched.last_step = self.step
        if watched.finding is not None or watched.breach is None:
            return False
        watched.finding = self._finding(watched, watched.rule.firing(self.step, watched.breach))
        return True

    def _finding(self, watched: _ExaminedRule, firing: RuleFiring) -> Finding:
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
        over = {"mean_of_steps": firing.over} if firing.over > 1 else {}
        return {"value": firing.value, "threshold": firing.threshold, **start, **over}


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


def _worst_finding_first(finding: Finding) -> tuple[int, bool, bool, int]:
    return -SEVERITIES.index(finding.severity), not finding.was_critical, not finding.active, finding.first_step
