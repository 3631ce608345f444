"""A curriculum by measured pass rate: what is always or never solved is drawn less (curriculum=pass_rate).

A problem that the policy solves at the rate p gives a group of rewards whose variance is p(1 − p): none where it is
always or never solved, and with it no gradient of a group-relative advantage. So problems are drawn in proportion to
that variance, as the counts so far let expect it. The score is the learnability of Rutherford et al. 2024
(arXiv:2408.15099), used for reasoning by Foster et al. 2025 (arXiv:2502.12272); here its expectation under a Beta
posterior stands in for the estimate, so that a problem seen a few times is neither trusted nor dropped.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Any

from tvo_cli.data.cursor import ProblemOutcome
from tvo_cli.data.problems import Problems
from tvo_cli.data.random_stream import random_stream
from tvo_cli.errors import UserError
from tvo_cli.types import Problem


@dataclass(frozen=True, slots=True)
class PassRateLaw:
    """The numbers of the law of drawing: conf/curriculum/pass_rate.yaml."""

    prior_solved: float  # a of the Beta prior
    prior_unsolved: float  # b of it
    memory: float  # what the counts of a problem are multiplied by at each new draw of it

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> PassRateLaw:
        """Of a curriculum node."""
        solved, unsolved = map(float, node["prior"])
        return cls(solved, unsolved, float(node["memory"]))


def expected_variance(solved: float, unsolved: float) -> float:
    """E[p(1 − p)] = αβ / ((α + β)(α + β + 1)) for p ~ Beta(α, β), in squared reward; at most 1/4.

    α = a + solved responses, β = b + unsolved ones. α = β → ∞ gives 1/4, a problem solved half of the time; α = 1,
    β → ∞ gives about 1/β. Source: the first two moments of the Beta distribution.
    """
    total = solved + unsolved
    return solved * unsolved / (total * (total + 1.0))


class PassRateCursor:
    """A cursor that draws each batch by weight, without replacement inside the batch.

        w_i = E[p_i(1 − p_i) | counts]        key_i = ln(u_i) / w_i, u_i uniform: the `count` largest keys are drawn

    The keys make each next problem that of index i with probability w_i / Σ_j w_j over those not yet drawn: Efraimidis
    and Spirakis 2006, "Weighted random sampling with a reservoir", doi:10.1016/j.ipl.2005.11.003. With equal weights,
    as before the first outcome, every problem is as likely. u depends on (seed, number of the draw, i) alone.
    """

    def __init__(self, problems: Problems, seed: int, law: PassRateLaw) -> None:
        if problems.size is None:
            problem = f"{problems.name} is generated without end: no problem comes twice, so none has a pass rate."
            raise UserError("curriculum", "pass_rate", problem, "Make it finite: dataset.limit=1000.")
        self.problems, self._size, self._seed, self._law = problems, problems.size, seed, law
        self._draws = 0
        self._counts: dict[int, tuple[float, float]] = {}  # solved and unsolved responses of problems seen
        self._taken: dict[str, int] = {}  # indices of the problems taken last

    def take(self, count: int, step: int = 0) -> list[Problem]:
        """The next `count` problems, all different, whatever the step."""
        if count > self._size:
            problem = f"is more than the {self._size} problems of {self.problems.name}."
            raise UserError("rollout.prompts", count, problem, f"Use rollout.prompts={self._size} or less.")
        rng = random_stream("pass rate", self._seed, self._draws, self._size)
        keys = [math.log(1.0 - rng.random()) / self.weight(index) for index in range(self._size)]
        self._draws += 1
        chosen = nlargest(count, range(self._size), key=keys.__getitem__)
        found = [self.problems.problem(index) for index in chosen]
        self._taken = dict(zip((problem.id for problem in found), chosen))
        return found

    def weight(self, index: int) -> float:
        """What a problem is drawn in proportion to: its expected variance of rewards."""
        solved, unsolved = self._counts.get(index, (0.0, 0.0))
        return expected_variance(self._law.prior_solved + solved, self._law.prior_unsolved + unsolved)

    def observe(self, outcomes: Sequence[ProblemOutcome]) -> None:
        """Add the outcomes of the problems taken last to their counts; earlier ones fade as the policy changes."""
        for problem, solved, judged in outcomes:
            before = self._counts.get(index := self._taken[problem.id], (0.0, 0.0))
            faded = [self._law.memory * one for one in before]
            self._counts[index] = faded[0] + solved, faded[1] + judged - solved

    def readings(self) -> dict[str, float]:
        """The share of the problems seen so far, and the mean weight beside that of a problem never seen."""
        unseen = expected_variance(self._law.prior_solved, self._law.prior_unsolved)
        weights = [self.weight(index) for index in self._counts]
        mean = math.fsum(weights) / len(weights) if weights else unseen  # in whatever order they were seen
        return {"data/seen": len(self._counts) / self._size, "data/weight": mean / unseen}

    def state_dict(self) -> dict[str, Any]:
        """How often it drew, and the counts of the problems seen."""
        counts = {str(index): list(pair) for index, pair in sorted(self._counts.items())}
        return {"draws": self._draws, "size": self._size, "counts": counts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken, on the same problems."""
        if int(state["size"]) != self._size:
            problem = f"has {self._size} problems now, but the checkpoint was made with {state['size']}."
            raise UserError("dataset", self.problems.name, problem, "Restore the data set, or start a new run.")
        self._draws = int(state["draws"])
        self._counts = {int(index): (float(one), float(other)) for index, (one, other) in state["counts"].items()}

    def begin_anew(self, state: Mapping[str, Any], changed: Collection[str] = ()) -> dict[str, Any]:
        """No counts: they were of other problems."""
        return {"draws": int(state["draws"]), "size": self._size, "counts": {}}
