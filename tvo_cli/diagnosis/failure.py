"""What a failure is: the rules that show it, the columns they need, what to do about it, and where it is described.

A rule is a `CollapseRule` (stability/rule_interface.py): it reads one step after the other and carries its state, so
that a live monitor and a diagnosis of a finished log are one implementation. `severity` "collapse" is critical here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

from tvo_cli.diagnosis.finding import CRITICAL, WARNING, Finding, Remedy
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.rule_interface import CollapseRule

SEVERITY_OF_RULE = {"collapse": CRITICAL, "warning": WARNING}


@dataclass(frozen=True, slots=True)
class Failure:
    """A kind of failure."""

    name: str  # as `tvo diagnose --format json` and `tvo ls` give it
    meaning: str  # one plain sentence
    needs: Sequence[Sequence[str]]  # of each group one column: without them the failure is not examined
    rules: Callable[[RunFacts], Sequence[CollapseRule]]
    remedies: Callable[[RunFacts, Finding], Sequence[Remedy]]
    sources: Sequence[str]  # the papers that it rests on

    def missing(self, columns: frozenset[str] | set[str]) -> list[str]:
        """The needed columns that a log lacks; of alternatives, the first."""
        return [group[0] for group in self.needs if not columns & set(group)]


def set_thresholds(rules: Sequence[CollapseRule], values: Mapping[str, float]) -> None:
    """Set thresholds of a failure's rules by their fields' names: for a calibration."""
    for rule in rules:
        known = {one.name for one in fields(rule) if one.init}
        for name in known & set(values):
            setattr(rule, name, values[name])
