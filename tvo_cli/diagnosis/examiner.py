"""The examiner: shows a log's steps to the rules of every failure, one after the other, live or afterwards."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tvo_cli.diagnosis.failure import SEVERITY_OF_RULE, Failure, set_thresholds
from tvo_cli.diagnosis.finding import CRITICAL, SEVERITIES, WARNING, Finding, worst_finding_first
from tvo_cli.diagnosis.registry import FAILURES
from tvo_cli.diagnosis.training_log import REFUSED, Row, RunFacts
from tvo_cli.stability.rule_interface import CollapseRule, RuleBreach, RuleFiring
from tvo_cli.stability.whole_log import WholeLog
from tvo_cli.tracking.metric_names import is_evaluation_metric

START = 3  # values whose mean is a metric's start in the evidence
BLOCK = 500  # rows that stay in a processor's cache while every rule reads them
SETTLED = 10  # rows without the condition after which a critical finding is over, and a warning

_Shown = tuple[int, Row]  # a step, and what is shown of its row


@dataclass
class _ExaminedRule:
    """A rule of a failure, with the steps at which its condition held."""

    failure: Failure
    rule: CollapseRule
    begun: int = 0  # first step of the present streak
    finding: Finding | None = None  # as it was told first
    last_step: int = 0  # at which it held
    breach: RuleBreach | None = None  # at the last step that it was shown, where it lasts


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
        self._of_evaluations = [one for one in self._watched if one.rule.reads_evaluations]
        of_steps = [one for one in self._watched if not one.rule.reads_evaluations]
        self._of_steps = [one for one in of_steps if not one.rule.waits_for]
        self._waiting = [one for one in of_steps if one.rule.waits_for]  # for a column that no row has had
        for watched in self._watched:
            set_thresholds([watched.rule], (thresholds or {}).get(watched.failure.name, {}))

    def observe(self, row: Row) -> list[Finding]:
        """Show one row, with its "step"; return the findings that begin at it or become critical."""
        judged = self._take(row)
        shown = [(self.step, judged)]
        begun = [watched for watched in self._readers(judged) if self._show(watched, shown)]
        return [one for one in self.findings() if self._is_news(one)] if begun else []

    def observe_all(self, rows: Sequence[Row]) -> None:
        """Show a whole finished log: what `observe` finds row by row, but in less time.

        Rule by rule, in blocks that a processor's cache holds, and not to rules that its columns tell to be silent.
        """
        if not any(REFUSED in row for row in rows):  # else no rule is shown all of them
            log = WholeLog(rows)
            self._drop_rules(lambda one: one.rule.is_silent(log))
        for at in range(0, len(rows), BLOCK):
            self._observe_block(rows[at : at + BLOCK])

    def _drop_rules(self, is_dropped: Callable[[_ExaminedRule], bool]) -> None:
        """Show no more rows to some of the rules."""
        for name in ("_of_steps", "_of_evaluations", "_waiting"):
            setattr(self, name, [one for one in getattr(self, name) if not is_dropped(one)])

    def _observe_block(self, rows: Sequence[Row]) -> None:
        of_all, of_steps, of_evaluations = list[_Shown](), list[_Shown](), list[_Shown]()
        for row in rows:
            judged = self._take(row)
            of_all.append((self.step, judged))
            if not self._refused:
                of_steps.append(of_all[-1])
            if not judged.keys().isdisjoint(self._evaluations):
                of_evaluations.append(of_all[-1])
        for watched in self._of_evaluations:
            self._show(watched, of_evaluations)
        for watched in self._of_steps:
            self._show(watched, of_all if watched.rule.reads_refused else of_steps)

    def _take(self, row: Row) -> Row:
        """Take note of a row's step and columns; return what the rules are shown of it."""
        self.step = int(row["step"])
        self._first = self.step if self._rows == 0 else self._first
        self._rows += 1
        judged = self._judged(row)
        for name in judged.keys() - self._started:
            self._begin_column(name, judged[name])
        return judged

    def _begin_column(self, name: str, value: float) -> None:
        """Take one of the first values of a column; of the first one take note, and of the rules that wait for it."""
        if name not in self.columns:
            self.columns[name] = []
            self._of_steps += [one for one in self._waiting if one.rule.waits_for == name]
            if is_evaluation_metric(name):
                self._evaluations.add(name)
        if math.isfinite(value):
            self.columns[name].append(value)
        if len(self.columns[name]) == START:
            self._started.add(name)

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
            known = self._found(watched)
            if known is not None:
                one = _as_warning_once_over(known, self._since(known))
                other = found.get(one.failure)
                found[one.failure] = one if other is None else _joined_findings(one, other)
        return sorted(found.values(), key=worst_finding_first)

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

    def _show(self, watched: _ExaminedRule, rows: Iterable[_Shown]) -> bool:
        """Show rows to a rule; return whether it has just found its failure."""
        rule, before = watched.rule, watched.finding
        look = rule.breach
        for step, row in rows:
            found = look(row)
            if found is None and rule.streak == 0:  # as at most steps: nothing changes
                continue
            watched.breach = breach = rule.count(found)
            if rule.streak == 1:
                watched.begun = step
            if breach is None:
                continue
            watched.last_step = step
            if watched.finding is None:
                watched.finding = _finding(watched, rule.firing(step, breach))
        return watched.finding is not before

    def _found(self, watched: _ExaminedRule) -> Finding | None:
        """A rule's finding as it stands now, with the start of its metric."""
        known = watched.finding
        if known is None:
            return None
        first = self.columns.get(known.metric)
        start = {"start": math.fsum(first) / len(first)} if first else {}
        active = watched.breach is not None
        return replace(known, last_step=watched.last_step, active=active, evidence={**known.evidence, **start})


def _finding(watched: _ExaminedRule, firing: RuleFiring) -> Finding:
    """What a rule has found at its first firing."""
    since = getattr(watched.rule, "since", None)
    over = {"mean_of_steps": firing.over} if firing.over > 1 else {}
    return Finding(
        failure=watched.failure.name,
        severity=SEVERITY_OF_RULE[firing.severity],
        first_step=watched.begun if since is None else int(since),
        alarm_step=firing.step,
        last_step=firing.step,
        active=True,
        metric=firing.metric,
        message=firing.message,
        evidence={"value": firing.value, "threshold": firing.threshold, **over},
    )


def _as_warning_once_over(finding: Finding, since: float) -> Finding:
    """A finding of the examiner; a critical one whose condition has been over for SETTLED rows is a warning."""
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
