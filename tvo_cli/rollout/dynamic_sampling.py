"""Sampling rules: which groups of a draw are worth learning from, and how often more may be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from tvo_cli.errors import UserError


class SamplingRule(Protocol):
    """Draws of `size` times rollout.prompts problems, at most `most` of them, until enough groups are fit."""

    @property
    def size(self) -> int: ...

    @property
    def most(self) -> int: ...

    def fit(self, right: Sequence[bool | None], group: Sequence[int]) -> list[bool]: ...


@dataclass(frozen=True, slots=True)
class EveryGroup:
    """One draw, all of it: what every algorithm does that says nothing else."""

    size: ClassVar[int] = 1
    most: ClassVar[int] = 1

    def fit(self, right: Sequence[bool | None], group: Sequence[int]) -> list[bool]:
        """True for every prompt, [P]."""
        return [True] * (max(group) + 1)


@dataclass(frozen=True, slots=True)
class MixedGroups:
    """DAPO's dynamic sampling, arXiv:2503.14476: draw until enough prompts have right and wrong answers.

    Judged by the raw accuracy: a shaped reward differs inside a group by length alone, and would call every
    group mixed. The surplus of the last draw is dropped. Where `most` draws do not suffice, others fill the batch
    up at equal rewards, and the run says so. most = size = 1 recover `EveryGroup` while rewards are the accuracy.

    Fidelity: official code (the verl recipe; it draws three batches at once).
    """

    minimum_samples: ClassVar[int] = 2  # one response is never both right and wrong
    size: int  # problems of a draw, in multiples of rollout.prompts
    most: int  # draws a batch

    def __post_init__(self) -> None:
        """Both are counts."""
        for name, value in (("size", self.size), ("most", self.most)):
            if value < 1:
                raise UserError(f"algorithm.sampling.{name}", value, "must be a whole number, at least 1.")

    def fit(self, right: Sequence[bool | None], group: Sequence[int]) -> list[bool]:
        """Whether each prompt has both, [P]; None is an answer that could not be judged, and counts as neither."""
        seen: list[set[bool]] = [set() for _ in range(max(group) + 1)]
        for judged, p in zip(right, group, strict=True):
            if judged is not None:
                seen[p].add(judged)
        return [len(both) == 2 for both in seen]
