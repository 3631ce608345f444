"""Segment branches: a response may branch at the end of each of its segments, the likelier the less certain it grew."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tvo_cli.errors import UserError
from tvo_cli.rollout.branching.branching_rule import Cut, GrownResponses

READ = 20  # tokens of a segment whose entropies count, at most


@dataclass(frozen=True, slots=True)
class SegmentBranches:
    """Agentic AEPO's rollout (Dong et al. 2025, arXiv:2510.14545) in a single turn: segments stand for its tool calls.

    n₀ of a prompt's G responses are sampled from it. At the end of segment j = 0, 1, … each response that goes on
    branches where min(1, max(0, (u + w·ΔH)·max(0, 1 − p·l))) ≥ threshold, u ~ U(0, 1), while its prompt has fewer
    than G. ΔH = H_j − H_0, H the summed entropy of a segment's first 20 tokens over ln V; l is in how many segments
    before this one, without a gap, the prompt branched. Responses that are still missing at the end are sampled from
    the prompt. With initial = null a trial response decides: n₀ = min(G, ⌊G·σ(β(H_root − H_tool))⌋ + 1), H_root its
    first segment's H and H_tool the mean of the others'. What a branch took over it learns from, too: it gets each
    branch's advantage, as in the released code.

    Fidelity: official code (read in a fork, for the formula and its numbers; the entropy is the whole vocabulary's
    where that code sums the ten largest; H_0 of a branch is of the tokens that it took over where that takes its own
    first ones, and keeps every H_0 of the first batch; equal segments for tool calls, responses that are sampled from
    the prompt at the end and do not branch where that code starts anew, the trial's H_root, and that a last segment cut
    short by the end of the trial counts in H_tool as a whole one are this project's adaptation to a single turn).

    initial = 1 recovers G responses from the prompt.
    """

    learns_prefix: ClassVar[bool] = True
    shortest: ClassVar[int] = 0

    initial: float | None  # share of the responses that is sampled from the prompt; null: a trial decides
    beta: float  # of the trial, a nat; not used where `initial` is a number
    segments: int  # of the longest response
    longest: int  # tokens of that
    weight: float  # w
    penalty: float  # p
    threshold: float

    def __post_init__(self) -> None:
        """A response of one segment never branches; a share is one."""
        if self.segments < 2:
            raise UserError("algorithm.branching.segments", self.segments, "must be a whole number, at least 2.")
        if self.initial is not None and not 0.0 < self.initial <= 1.0:
            raise UserError(
                "algorithm.branching.initial", self.initial, "must be a share above 0 and up to 1, or null."
            )

    @property
    def width(self) -> int:
        """Tokens of a segment."""
        return math.ceil(self.longest / self.segments)

    def first(self, samples: int) -> int:
        """n₀, at least 1; 1 where a trial decides."""
        return 1 if self.initial is None else max(1, round(self.initial * samples))

    def cuts(self, grown: GrownResponses, turn: int) -> list[Cut]:
        """The branches at the end of one segment; first those that a trial asks for, last those that are missing."""
        segment = turn if self.initial is not None else turn - 1
        found: list[Cut] = []
        for p, rows in enumerate(grown.rows):
            room = grown.samples - len(rows)
            if segment < 0:
                found += [Cut(rows[0], 0)] * (self._initial_by_trial(grown, rows[0]) - 1)
            elif (segment + 1) * self.width >= max(grown.lengths[row] for row in rows):
                found += [Cut(rows[0], 0)] * room
            else:
                found += self._branches(grown, p, rows, segment)[:room]
        return found

    def _branches(self, grown: GrownResponses, prompt: int, rows: Sequence[int], segment: int) -> list[Cut]:
        end = (segment + 1) * self.width
        before = {grown.taken[row] // self.width - 1 for row in rows if grown.taken[row]}
        row_of = next(count for count in range(segment + 1) if segment - 1 - count not in before)
        left = max(0.0, 1.0 - self.penalty * row_of)
        numbers, found = grown.random_numbers(prompt, f"segment {segment}", 0, grown.samples), list[Cut]()
        for number, row in enumerate(rows):
            rise = self._entropy(grown, row, segment) - self._entropy(grown, row, 0)
            chance = min(1.0, max(0.0, (numbers[number] + self.weight * rise) * left))
            found += [Cut(row, end)] if grown.lengths[row] > end and chance >= self.threshold else []
        return found

    def _entropy(self, grown: GrownResponses, row: int, segment: int) -> float:
        """H_j of a response, in units of ln V."""
        start = segment * self.width
        tokens = slice(start, min(start + min(self.width, READ), grown.lengths[row]))
        return float(grown.entropy[row, tokens].sum()) / math.log(grown.vocabulary)

    def _initial_by_trial(self, grown: GrownResponses, row: int) -> int:
        """n₀ by a trial response."""
        others = range(1, math.ceil(grown.lengths[row] / self.width))
        root, later = self._entropy(grown, row, 0), [self._entropy(grown, row, j) for j in others]
        tool = sum(later) / len(later) if later else root  # as released for a trial without a tool call
        return initial_responses(grown.samples, self.beta * (root - tool))


def initial_responses(samples: int, excess: float) -> int:
    """min(G, ⌊G·σ(β(H_root − H_tool))⌋ + 1) for excess = β(H_root − H_tool): a question that is less clear than what
    follows gets more responses of its own, and fewer branches. arXiv:2510.14545
    """
    return min(samples, int(samples / (1.0 + math.exp(-excess))) + 1)
