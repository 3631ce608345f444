"""The first embedded task: left-to-right arithmetic modulo 16, worked step by step, without end.

Question `7 + 3 * 12 - 4 * 2 + 9 =`; operators are applied strictly from left to right. A solution is a
neutral opener, the running values between neutral separators, and the last value in a box:
`well 10 so 8 then 4 so 8 next 1 \\boxed{ 1 }`. The teacher for supervised fine-tuning is wrong in a
systematic way, so that reinforcement learning has modes to flip (design/tvo.md, section 3).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tvo_cli.data.random_stream import random_stream, split_of_question
from tvo_cli.data.vocabulary import BOX, CLOSE, EQUALS, OPENERS, OPERATORS, SEPARATORS
from tvo_cli.errors import UserError
from tvo_cli.types import Problem

ATTEMPTS = 2000  # draws until a question of the wanted split comes up; eight are needed on average for "test"


@dataclass(frozen=True, slots=True)
class ArithmeticSettings:
    """Settings of the arithmetic task: modulus, number of operations, and how its teacher errs."""

    modulus: int = 16
    operations: tuple[int, int] = (5, 5)  # fewest and most; the level of a problem is its number
    hard_share: float = 0.25  # of the table entries (operator, a, b)
    hard_error: float = 0.5  # the teacher's error rate on those
    easy_error: float = 0.06  # and on the others
    table_seed: int = 12345

    def __post_init__(self) -> None:
        low, high = self.operations
        if not 2 <= self.modulus <= 1000:  # the grader's integers go from 0 to 999
            raise UserError("dataset.modulus", self.modulus, "is outside 2 to 1000.", "The embedded model knows 16.")
        if not 1 <= low <= high:
            raise UserError(
                "dataset.operations",
                list(self.operations),
                "is not a number of operations.",
                "Give one number from 1 up, or [fewest, most].",
            )


class ArithmeticProblems:
    """Arithmetic problems without end; `problem(index)` is a pure function of (settings, seed, split, index)."""

    name = "arithmetic"
    neutral_words = OPENERS

    def __init__(self, settings: ArithmeticSettings, *, split: str, seed: int, limit: int | None = None) -> None:
        self.settings, self.split, self.seed = settings, split, seed
        self.size = limit
        self._offsets, self._errors = _arithmetic_error_table(settings)

    def problem(self, index: int) -> Problem:
        """The problem with this index, from 0 up."""
        numbers, operators, question = self._draw(index)
        return Problem(
            id=f"{self.name}/{self.seed}/{self.split}/{index}",
            question=question,
            answer=str(running_values(numbers, operators, self.settings.modulus)[-1]),
            source=self.name,
            level=str(len(operators)),
            scorer="integer",
        )

    def teacher_solution(self, index: int, seed: int) -> str:
        """A worked solution of problem `index` by the noisy teacher; other seeds give other solutions."""
        numbers, operators, _ = self._draw(index)
        rng = random_stream("teacher", self.name, seed, self.seed, self.split, index)
        values = self._noisy_values(numbers, operators, rng)
        return _arithmetic_solution(values, rng)

    def _draw(self, index: int) -> tuple[list[int], list[int], str]:
        rng = random_stream(self.name, self.seed, self.split, index)
        low, high = self.settings.operations
        modulus = self.settings.modulus
        for _ in range(ATTEMPTS):
            count = low + int(rng.random() * (high - low + 1))
            numbers = [int(rng.random() * modulus) for _ in range(count + 1)]
            operators = [int(rng.random() * 3) for _ in range(count)]
            question = _arithmetic_question(numbers, operators)
            if split_of_question(question) == self.split:
                return numbers, operators, question
        raise UserError(
            "dataset.modulus",
            modulus,
            f"so few questions exist that none belongs to the {self.split} split.",
            "Raise dataset.modulus or dataset.operations.",
        )

    def _noisy_values(self, numbers: list[int], operators: list[int], rng: random.Random) -> list[int]:
        """The running values with systematic errors, which propagate along the chain."""
        modulus, value, values = self.settings.modulus, numbers[0], []
        for operator, number in zip(operators, numbers[1:], strict=True):
            entry = (operator * modulus + value) * modulus + number
            value = apply_operator(operator, value, number) % modulus
            if rng.random() < self._errors[entry]:
                value = (value + self._offsets[entry]) % modulus
            values.append(value)
        return values


def apply_operator(operator: int, left: int, right: int) -> int:
    """Return left + right, left − right or left · right, for operator 0, 1, 2."""
    if operator == 0:
        return left + right
    return left - right if operator == 1 else left * right


def running_values(numbers: Sequence[int], operators: Sequence[int], modulus: int) -> list[int]:
    """Return the value after each operation, strictly from left to right, modulo `modulus`."""
    value, values = numbers[0], []
    for operator, number in zip(operators, numbers[1:], strict=True):
        value = apply_operator(operator, value, number) % modulus
        values.append(value)
    return values


def _arithmetic_error_table(settings: ArithmeticSettings) -> tuple[list[int], list[float]]:
    """Return, per table entry (operator, a, b): the teacher's wrong offset in 1…modulus−1, and its rate."""
    rng = random_stream("misconceptions", "arithmetic", settings.table_seed)
    entries = 3 * settings.modulus**2
    offsets = [1 + int(rng.random() * (settings.modulus - 1)) for _ in range(entries)]
    errors = [
        settings.hard_error if rng.random() < settings.hard_share else settings.easy_error for _ in range(entries)
    ]
    return offsets, errors


def _arithmetic_question(numbers: Sequence[int], operators: Sequence[int]) -> str:
    words = [str(numbers[0])]
    for operator, number in zip(operators, numbers[1:], strict=True):
        words += (OPERATORS[operator], str(number))
    words.append(EQUALS)
    return " ".join(words)


def _arithmetic_solution(values: Sequence[int], rng: random.Random) -> str:
    words = [rng.choice(OPENERS), str(values[0])]
    for value in values[1:]:
        words += (rng.choice(SEPARATORS), str(value))
    return " ".join([*words, BOX, str(values[-1]), CLOSE])
