r"""Audit mode: a second grader beside ours, and where the two disagree.

The second one is math-verify as its authors ship it: its own extraction from the whole response, its own
normalisation, its own comparison. It shares no rule with ours, only the algebra system below both. It runs in
the grader's children, under the same deadline; a row on which it breaks is not compared.

Neither is the truth. Ours refuses more (hedges, answers without a box, rounded decimals, an unfinished
response); it accepts more where math-verify cannot read a form. The rows are there to be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tvo_cli.types import Problem, Verdict

MOST_KEPT = 10_000  # rows; the counts go on


class SecondGraderDisagreement(NamedTuple):
    """One row on which the two graders differ."""

    id: str
    gold: str
    extracted: str | None
    reason: str  # ours
    correct: bool  # ours
    second: bool  # math-verify's


@dataclass(slots=True)
class SecondGraderAudit:
    """What the second grader said so far."""

    compared: int = 0
    not_compared: int = 0  # one of the graders broke, or the problem has a scorer of its own
    differing: int = 0
    rows: list[SecondGraderDisagreement] = field(default_factory=list)

    @property
    def rate(self) -> float | None:
        """Disagreements ÷ compared rows; None before the first."""
        return self.differing / self.compared if self.compared else None

    def record(self, problems: Sequence[Problem], verdicts: Sequence[Verdict]) -> None:
        """Count one call's rows, and keep those that differ."""
        for problem, verdict in zip(problems, verdicts, strict=True):
            if verdict.second is None or verdict.failed:
                self.not_compared += 1
                continue
            self.compared += 1
            if verdict.second != verdict.correct:
                self._keep(problem, verdict, verdict.second)

    def _keep(self, problem: Problem, verdict: Verdict, second: bool) -> None:
        self.differing += 1
        if len(self.rows) < MOST_KEPT:
            said = (verdict.extracted, verdict.reason, verdict.correct, second)
            self.rows.append(SecondGraderDisagreement(problem.id, problem.answer, *said))


def second_grader_verdict(gold: str, text: str) -> bool:
    """math-verify's verdict on a whole response. For the grader's children: it knows no deadline here."""
    import math_verify.parser
    from sympy import parse_expr  # type: ignore[import-untyped]

    from tvo_cli.reward.math_verify_algebra import GoldUnreadableByMathVerify

    math_verify.parser.parse_expr = lambda source, evaluate: parse_expr(source)  # by our evaluator, which reads text
    expected = math_verify.parse(f"\\boxed{{{gold}}}", parsing_timeout=None)
    if not expected:
        raise GoldUnreadableByMathVerify(gold)
    said = math_verify.parse(text, parsing_timeout=None)
    return bool(math_verify.verify(expected, said, timeout_seconds=None))
