"""Whether answers of one problem are equal, for maj@k: by values where those tell them apart, within bounds else.

Algebra takes up to half a second a pair, and 64 different answers are 2016 pairs. Two answers whose values at fixed
points are apart are different without it; how many other pairs of a problem it is asked for is bounded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tvo_cli.evaluation.answer_values import are_values_apart
from tvo_cli.reward.equality_rules import NeedsAlgebra, equal_answers

Equal = Callable[[str, str], bool]
MOST_BY_ALGEBRA = 256  # pairs of one problem: all pairs of 23 answers
MOST_SECONDS = 60.0  # of a problem's algebra


@dataclass(slots=True)
class AnswerEquality:
    """The equality of a problem's answers; what it has found is kept."""

    equal: Equal  # in either order
    asked: int = 0  # pairs that only algebra could tell, and that it was asked for
    unsettled: int = 0  # such pairs beyond the bounds, which count as different
    seconds: float = 0.0
    known: dict[tuple[str, str], bool] = field(default_factory=dict)

    def __call__(self, one: str, other: str) -> bool:
        """Whether the two are equal."""
        pair = (one, other) if one <= other else (other, one)
        if pair not in self.known:
            self.known[pair] = self._settle(*pair)
        return self.known[pair]

    def _settle(self, one: str, other: str) -> bool:
        found = [_verdict_without_algebra(*order) for order in ((one, other), (other, one))]
        if found == [False, False]:
            return False
        if True in found:
            return self.equal(one, other)
        if self.asked >= MOST_BY_ALGEBRA or self.seconds >= MOST_SECONDS:
            self.unsettled += 1
            return False
        begun = time.monotonic()
        verdict = self.equal(one, other)
        self.asked, self.seconds = self.asked + 1, self.seconds + time.monotonic() - begun
        return verdict


def _verdict_without_algebra(gold: str, answer: str) -> bool | None:
    """What the grader's rules say, with the values of what they would ask algebra for; None where that decides."""
    try:
        return equal_answers(gold, answer, _algebra_of_values)
    except NeedsAlgebra:
        return None
    except RecursionError:  # text that no rule takes apart is equal to nothing, as the grader has it
        return False


def _algebra_of_values(gold: str, answer: str) -> bool:
    if are_values_apart(gold, answer):
        return False
    raise NeedsAlgebra


def said_of_unsettled(equalities: Sequence[AnswerEquality]) -> str:
    """What to say of pairs that count as different without having been compared; "" where there are none."""
    beyond = [one.unsettled for one in equalities if one.unsettled]
    return (
        f"maj@k: {sum(beyond):,} pairs of answers (problems: {len(beyond)}) count as different without a comparison: "
        f"algebra is asked for {MOST_BY_ALGEBRA} pairs a problem at most, and for {MOST_SECONDS:.0f} s"
        if beyond
        else ""
    )
