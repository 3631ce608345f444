"""From verdicts to numbers: 1 for a correct answer, and two optional terms of form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.reward.answer_extraction import find_boxes
from tvo_cli.types import Verdict


class Rewards:
    """reward = correct · 1[correct] + format · 1[exactly one box] + weight · overlong(length); 0 after a failure."""

    def __init__(self, node: Mapping[str, Any]) -> None:
        self.correct = 1.0 if node.get("correct") is None else float(node["correct"])
        self.format = float(node.get("format") or 0.0)
        length = node.get("length") or {}
        self.weight = float(length.get("weight") or 0.0)
        self.maximum = int(length.get("maximum") or 0)
        share = float(length.get("buffer") or 0.0)
        self.buffer = share * self.maximum
        if self.weight and self.maximum < 1:
            raise UserError("reward.length.maximum", self.maximum, "must be a number of tokens, at least 1.")
        if self.weight and not 0.0 < share <= 1.0:
            raise UserError("reward.length.buffer", share, "must be a share of reward.length.maximum, in (0, 1].")

    def score(
        self,
        verdicts: Sequence[Verdict],
        texts: Sequence[str],
        lengths: Sequence[int],
        finished: Sequence[bool],
    ) -> list[float]:
        """One reward a response; `lengths` in tokens. No format term without an end."""
        rows = zip(verdicts, texts, lengths, finished, strict=True)
        return [self._one(verdict, text, length, bool(ended)) for verdict, text, length, ended in rows]

    def _one(self, verdict: Verdict, text: str, length: int, finished: bool) -> float:
        if verdict.failed:
            return 0.0
        reward = self.correct * verdict.correct
        if self.format and has_one_box(text, finished):
            reward += self.format
        return reward + self.weight * overlong_penalty(length, self.maximum, self.buffer) if self.weight else reward

    @property
    def weights(self) -> dict[str, float]:
        """Of the terms that count, by name."""
        stated = {"correct": self.correct, "format": self.format, "length": self.weight}
        return {name: weight for name, weight in stated.items() if weight}

    def terms(
        self,
        verdicts: Sequence[Verdict],
        texts: Sequence[str],
        lengths: Sequence[int],
        finished: Sequence[bool],
    ) -> dict[str, list[float | None]]:
        """The terms that count, unweighted, a value a response; None after a failure of the grader."""
        rows = list(zip(verdicts, texts, lengths, finished, strict=True))
        found: dict[str, list[float | None]] = {
            "correct": [float(verdict.correct) for verdict in verdicts],
            "format": [float(has_one_box(text, ended)) for _, text, _, ended in rows] if self.format else [],
            "length": [overlong_penalty(n, self.maximum, self.buffer) for n in lengths] if self.weight else [],
        }
        return {
            name: [None if v.failed else value for v, value in zip(verdicts, found[name], strict=True)]
            for name in self.weights
        }


def has_one_box(text: str, finished: bool) -> bool:
    """The reward term of form: whether a response ended by itself and has exactly one box."""
    return bool(finished) and len(find_boxes(text)[0]) == 1


def overlong_penalty(length: int, maximum: int, buffer: float) -> float:
    """0 up to L_max − L_buffer, then linear to −1 at L_max, −1 beyond (DAPO, arXiv:2503.14476). Tokens."""
    return max(-1.0, min(0.0, (maximum - buffer - length) / buffer))
