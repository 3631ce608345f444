"""The examiner: shows a log's steps to the rules of every failure, one after the other, live or afterwards."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tvo_cli.diagnosis.failure import SEVERITY_OF_RULE, Failure, set_thresholds
from tvo_cli.diagnosis.finding import CRITICAL, SEVERITIES, WARNING, Finding
from tvo_cli.diagnosis.registry import FAILURES
from tvo_cli.diagnosis.training_log import Row, RunFacts
from tvo_cli.stability.rule_interface import CollapseRule, RuleFiring

START = 3  # values whose mean is a metric's start in the evidence
SETTLED = 10  # steps without the condition after which a critical finding is over, and a warning


@dataclass
class _Watched:
    """A rule of a failure, with the steps at which its condition held."""

    failure: Failure
    rule: CollapseRule
    begun: int = 0  # first step of the present streak
    finding: Finding | None = None


@dataclass
class _Column:
    """The start and the last value of a metric, for the evidence."""

    first: list[float] = field(default_factory=list)
    last: float = math.nan


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
        self.columns: dict[str, _Column] = {}
        self.step = 0
        self._watched = [_Watched(failure, rule) for failure in failures for rule in failure.rules(facts)]
        for watched in self._watched:
            set_thresholds([watched.rule], (thresholds or {}).get(watched.failure.name, {}))

    def observe(self, row: Row) -> list[Finding]:
        """Show one row, with its "step"; return the findings that begin at it or become critical."""
        self.step = int(row["step"])
        for name, value in row.items():
            column = self.columns.setdefault(name, _Column())
            if math.isfinite(value):
                column.last = value
                if len(column.first) < START:
                    column.first.append(value)
        before = {one.failure: one.severity for one in self.findings()} if self._any() else {}
        for watched in self._watched:
            self._show(watched, row)
        return [one for one in self.findings() if before.get(one.failure) not in (one.severity, CRITICAL)]

    def findings(self) -> list[Finding]:
        """One finding a failure, the worst first: of several rules the most severe, since the earliest's first step."""
        found: dict[str, Finding] = {}
        for watched in self._watched:
            if watched.finding is not None:
                one = _settled(watched.finding, self.step)
                other = found.get(one.failure)
                found[one.failure] = one if other is None else _joined(one, other)
        return sorted(found.values(), key=_worst_first)

    def not_examined(self) -> dict[str, list[str]]:
        """The failures that nothing was said of, and the columns that they lack."""
        lacking = {failure.name: failure.missing(set(self.columns)) for failure in self.failures}
        return {name: columns for name, columns in lacking.items() if columns}

    def _any(self) -> bool:
        return any(watched.finding is not None for watched in self._watched)

    def _show(self, watched: _Watched, row: Row) -> None:
        rule, before = watched.rule, watched.rule.streak
        firing = rule.check(self.step, row)
        if rule.streak == 1 or rule.streak < before:
            watched.begun = self.step
        if firing is not None:
            watched.finding = self._finding(watched, firing)
        elif watched.finding is not None and watched.finding.active:
            watched.finding = replace(watched.finding, active=False)

    def _finding(self, watched: _Watched, firing: RuleFiring) -> Finding:
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
        column = self.columns.get(firing.metric, _Column())
        start = {"start": math.fsum(column.first) / len(column.first)} if column.first else {}
        return {"value": firing.value, "threshold": firing.threshold, **start}


def _settled(finding: Finding, step: int) -> Finding:
    """A finding; a critical one whose condition ended many steps ago is a warning."""
    over = not finding.active and step - finding.last_step > SETTLED
    if not over or finding.severity != CRITICAL:
        return finding
    return replace(finding, severity=WARNING, was_critical=True)


def _joined(one: Finding, other: Finding) -> Finding:
    """Two findings of one failure as one: the more severe, with the earliest first step and alarm."""
    worst = max(other, one, key=lambda finding: SEVERITIES.index(finding.severity))
    first, alarm = min(one.first_step, other.first_step), min(one.alarm_step, other.alarm_step)
    last, active = max(one.last_step, other.last_step), one.active or other.active
    return replace(worst, first_step=first, alarm_step=alarm, last_step=last, active=active)


def _worst_first(finding: Finding) -> tuple[int, bool, int]:
    return -SEVERITIES.index(finding.severity), not finding.active, finding.first_step


def counting(findings: Sequence[Finding], last_step: int) -> list[Finding]:
    """Return the findings that a verdict counts: all but warnings whose condition ended many steps ago.

    A collapse that is over is a warning and counts, for the run has gone through it.
    """
    return [one for one in findings if one.active or one.was_critical or last_step - one.last_step <= SETTLED]
