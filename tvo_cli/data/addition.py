"""The second embedded task: addition of two numbers of equal length, right to left with carry words.

Question `_ _ 4 7 3 2 + _ _ 9 1 5 0 =` (blanks keep the width fixed). A solution is a neutral opener and, in a
box, per digit from the right the digit of the sum and one of three synonyms for "no carry" or for "carry",
then `1` when a carry is left: `well \\boxed{ 2 plain 8 none 8 clean 3 over 1 }`. The answer is the digits
right to left, `28831`; the grader keeps the digits of the box (scorer "digits").
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tvo_cli.data.random_stream import random_stream, split_of_question
from tvo_cli.data.vocabulary import BLANK, BOX, CARRY, CLOSE, EQUALS, NO_CARRY, OPENERS, OPERATORS
from tvo_cli.errors import UserError
from tvo_cli.types import Problem

ATTEMPTS = 2000  # draws until a question of the wanted split comes up; eight are needed on average for "test"
TABLE = 2 * 10 * 10  # entries (carry in, a, b) of the teacher's tables


@dataclass(frozen=True, slots=True)
class AdditionSettings:
    """Settings of the addition task: the number of digits, and how its teacher errs."""

    digits: tuple[int, int] = (2, 6)  # fewest and most; the question is always as wide as the most
    hard_share: float = 0.25  # of the entries (carry in, a, b) of the digit table
    hard_error: float = 0.5
    easy_error: float = 0.05
    carry_hard_share: float = 0.12  # the same for the carry that goes out
    carry_hard_error: float = 0.4
    carry_easy_error: float = 0.02
    table_seed: int = 777

    def __post_init__(self) -> None:
        low, high = self.digits
        if not 1 <= low <= high:
            raise UserError(
                "dataset.digits",
                list(self.digits),
                "is not a number of digits.",
                "Give one number from 1 up, or [fewest, most].",
            )


class AdditionProblems:
    """Addition problems without end; `problem(index)` is a pure function of (settings, seed, split, index)."""

    name = "addition"
    neutral_words = OPENERS

    def __init__(self, settings: AdditionSettings, *, split: str, seed: int, limit: int | None = None) -> None:
        self.settings, self.split, self.seed = settings, split, seed
        self.size = limit
        self._offsets, self._errors, self._carry_errors = _addition_error_tables(settings)

    def problem(self, index: int) -> Problem:
        """The problem with this index, from 0 up. The level counts the digits beyond the first."""
        left, right, question = self._draw(index)
        return Problem(
            id=f"{self.name}/{self.seed}/{self.split}/{index}",
            question=question,
            answer="".join(map(str, sum_digits(left, right))),
            source=self.name,
            level=str(max(1, len(left) - 1)),
            scorer="digits",
        )

    def teacher_solution(self, index: int, seed: int) -> str:
        """A worked solution of problem `index` by the noisy teacher; other seeds give other solutions."""
        left, right, _ = self._draw(index)
        rng = random_stream("teacher", self.name, seed, self.seed, self.split, index)
        words, carry = [rng.choice(OPENERS), BOX], 0
        for a, b in zip(left, right, strict=True):
            digit, carry = self._noisy_step(carry, a, b, rng)
            words += (str(digit), rng.choice(CARRY if carry else NO_CARRY))
        return " ".join([*words, *(["1"] if carry else []), CLOSE])

    def _noisy_step(self, carry: int, a: int, b: int, rng: random.Random) -> tuple[int, int]:
        """Digit and carry out, each wrong at its own rate; a wrong carry propagates."""
        entry, total = (carry * 10 + a) * 10 + b, a + b + carry
        digit, out = total % 10, total // 10
        if rng.random() < self._errors[entry]:
            digit = (digit + self._offsets[entry]) % 10
        if rng.random() < self._carry_errors[entry]:
            out = 1 - out
        return digit, out

    def _draw(self, index: int) -> tuple[list[int], list[int], str]:
        """Both numbers, least digit first, and the question; leading zeros are allowed, as in the study."""
        rng = random_stream(self.name, self.seed, self.split, index)
        low, high = self.settings.digits
        for _ in range(ATTEMPTS):
            count = low + int(rng.random() * (high - low + 1))
            left = [int(rng.random() * 10) for _ in range(count)]
            right = [int(rng.random() * 10) for _ in range(count)]
            question = _addition_question(left, right, high)
            if split_of_question(question) == self.split:
                return left, right, question
        raise UserError(
            "dataset.digits",
            [low, high],
            f"so few questions exist that none belongs to the {self.split} split.",
            "Raise it.",
        )


def sum_digits(left: Sequence[int], right: Sequence[int]) -> list[int]:
    """Return the digits of the sum, least first, with a final 1 only when a carry is left."""
    carry, digits = 0, []
    for a, b in zip(left, right, strict=True):
        carry, digit = divmod(a + b + carry, 10)
        digits.append(digit)
    return [*digits, 1] if carry else digits


def _addition_error_tables(settings: AdditionSettings) -> tuple[list[int], list[float], list[float]]:
    """Return, per entry (carry in, a, b): the teacher's wrong offset in 1…9, its rate, and that of a wrong carry."""
    rng = random_stream("misconceptions", "addition", settings.table_seed)
    offsets = [1 + int(rng.random() * 9) for _ in range(TABLE)]
    errors = _addition_error_rates(rng, settings.hard_share, settings.hard_error, settings.easy_error)
    carry = _addition_error_rates(rng, settings.carry_hard_share, settings.carry_hard_error, settings.carry_easy_error)
    return offsets, errors, carry


def _addition_error_rates(rng: random.Random, share: float, hard: float, easy: float) -> list[float]:
    return [hard if rng.random() < share else easy for _ in range(TABLE)]


def _addition_question(left: Sequence[int], right: Sequence[int], width: int) -> str:
    return " ".join([*_padded_addend(left, width), OPERATORS[0], *_padded_addend(right, width), EQUALS])


def _padded_addend(digits: Sequence[int], width: int) -> list[str]:
    return [BLANK] * (width - len(digits)) + [str(digit) for digit in reversed(digits)]
