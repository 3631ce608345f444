"""Few-shot sums for pretrained models: solved lines with boxed results, then one line that the model is to finish.

    31 + 2 = \\boxed{33}
    8 + 1 = \\boxed{9}
    45 + 3 =

A base or instruct model of 135 M parameters boxes its answer by imitation and is sometimes right, which is what
reinforcement learning needs to begin from. Whether a sum belongs to the training or the held-out problems follows from
its summands, in whatever order; solved lines are training sums in both, so that no held-out sum is ever seen solved.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tvo_cli.data.random_stream import random_stream, split_of_question
from tvo_cli.errors import UserError
from tvo_cli.types import Problem

ATTEMPTS = 2000  # draws until a sum of the wanted split comes up; eight are needed on average for "test"
LARGEST = 999  # that the grader's integers go up to


@dataclass(frozen=True, slots=True)
class ChainSumsSettings:
    """Settings of the few-shot sums: how large the summands are, how many, and how many lines are solved."""

    first: tuple[int, int] = (1, 49)  # least and greatest first summand
    further: tuple[int, int] = (1, 3)  # of each summand after it
    terms: tuple[int, int] = (2, 2)  # fewest and most summands; the level of a problem is their number
    shots: int = 4  # solved lines before the one that is asked

    def __post_init__(self) -> None:
        for name, least in (("first", 0), ("further", 0), ("terms", 2)):
            low, high = getattr(self, name)
            if not least <= low <= high:
                remedy = f"Give one number from {least} up, or [least, greatest]."
                raise UserError(f"dataset.{name}", [low, high], "is not a range.", remedy)
        if self.shots < 0:
            raise UserError("dataset.shots", self.shots, "is not a number of lines.", "Give 0 or more.")
        greatest = self.first[1] + (self.terms[1] - 1) * self.further[1]
        if greatest > LARGEST:
            remedy = "Take smaller dataset.first, dataset.further or dataset.terms."
            raise UserError(
                "dataset.first", list(self.first), f"a sum may be {greatest}; at most {LARGEST} is graded.", remedy
            )


class ChainSumsProblems:
    """Few-shot sums without end; `problem(index)` is a pure function of (settings, seed, split, index)."""

    name = "chain_sums"
    neutral_words: tuple[str, ...] = ()

    def __init__(self, settings: ChainSumsSettings, *, split: str, seed: int, limit: int | None = None) -> None:
        self.settings, self.split, self.seed = settings, split, seed
        self.size = limit

    def problem(self, index: int) -> Problem:
        """The problem with this index, from 0 up."""
        rng = random_stream(self.name, self.seed, self.split, index)
        numbers = self._draw(rng, self.split)
        asked = _sum_as_text(numbers)
        solved = [self._draw(rng, "train", without=asked) for _ in range(self.settings.shots)]
        lines = [f"{_sum_as_text(each)} = \\boxed{{{sum(each)}}}" for each in solved]
        return Problem(
            id=f"{self.name}/{self.seed}/{self.split}/{index}",
            question="\n".join([*lines, f"{asked} ="]),
            answer=str(sum(numbers)),
            source=self.name,
            level=str(len(numbers)),
            scorer="integer",
        )

    def _draw(self, rng: random.Random, split: str, without: str = "") -> list[int]:
        """The summands of one sum of a split, another than `without`."""
        low, high = self.settings.terms
        for _ in range(ATTEMPTS):
            further = [rng.randint(*self.settings.further) for _ in range(rng.randint(low, high) - 1)]
            numbers = [rng.randint(*self.settings.first), *further]
            if _sum_as_text(numbers) != without and split_of_question(_sum_as_text(sorted(numbers))) == split:
                return numbers
        raise UserError(
            "dataset.first",
            list(self.settings.first),
            f"so few sums exist that none is left for the {split} split.",
            "Widen dataset.first, dataset.further or dataset.terms.",
        )


def _sum_as_text(numbers: list[int]) -> str:
    return " + ".join(map(str, numbers))
