"""Branching: some responses to a prompt begin with the first tokens of others. What a rule for it is, and what it sees.

The responses to a prompt grow in turns: `first` of them are sampled from the prompt, then a rule cuts some of those
and what follows each cut is sampled anew, until the prompt has all its responses. A rule decides by entropies of the
responses so far and by random numbers; it changes nothing and remembers nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

from torch import Tensor

from tvo_cli.rollout.decoding.token_sampling import uniform_numbers
from tvo_cli.types import Rollout


class Cut(NamedTuple):
    """A response that is to be sampled behind the first `at` tokens of response `row`; 0: from the prompt itself."""

    row: int
    at: int


@dataclass(frozen=True)  # without slots: what rules ask for again and again is kept
class GrownResponses:
    """The responses so far, in the order of their sampling; entropies and words are on the CPU."""

    rollout: Rollout
    entropy: Tensor  # float32 [B, T], of the distribution that each token was drawn from, nats
    words: Tensor  # bool [B, T], tokens that are words: none is special, none shorter than the rule wants
    keys: Sequence[str]  # [P]
    samples: int  # G, responses that each prompt is to have
    seed: int
    vocabulary: int  # V

    @cached_property
    def rows(self) -> list[list[int]]:
        """The rows of each prompt, [P]."""
        found: list[list[int]] = [[] for _ in self.keys]
        for row, p in enumerate(self.rollout.group.tolist()):
            found[p].append(row)
        return found

    @cached_property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        counts: list[int] = self.rollout.mask.sum(1).tolist()
        return counts

    @cached_property
    def taken(self) -> list[int]:
        """Tokens of each row that are another's."""
        prefix = self.rollout.prefix
        return [0] * len(self.rollout.texts) if prefix is None else prefix.tolist()

    def random_numbers(self, prompt: int, about: str, number: int, count: int) -> list[float]:
        """Numbers in [0, 1) for a decision: the same for the same prompt, step and seed, wherever it is made."""
        drawn: list[float] = uniform_numbers(self.seed, [(f"{self.keys[prompt]}/{about}", number)], count)[0].tolist()
        return drawn


class BranchingRule(Protocol):
    """Decides where responses branch."""

    @property
    def learns_prefix(self) -> bool:
        """Whether a branch learns from the tokens that it took over, too."""

    @property
    def shortest(self) -> int:
        """Characters of a token that `GrownResponses.words` calls a word; 0: every token is one."""

    def first(self, samples: int) -> int:
        """How many of a prompt's `samples` responses are sampled from it at first."""

    def cuts(self, grown: GrownResponses, turn: int) -> list[Cut]:
        """The responses that are to be sampled in this turn, from 0; once no turn is left, all that are missing."""
