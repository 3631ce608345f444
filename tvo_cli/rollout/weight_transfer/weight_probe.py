"""The weight probe: after every exchange servers and trainer score the same tokens, and must say the same.

A fixed prompt and a few tokens sampled behind it, 64 at most in all. Let v be a server's log π of them, s the
trainer's, v′ and s′ the same at an earlier exchange, |·| the mean over tokens. A server does not hold the weights if

    |v − s| > mismatch_limit                                    other weights, or another model
    |v − s′| < ½ |v − s|   where |s − s′| > 1e-5                the earlier ones, told apart in float32
    v = v′ to the bit      where |s − s′| > 1e-3                the earlier ones, in any precision
    |v − s| > 10 g         where |v − s| > 1e-4                 a part of the weights is an earlier one

g is the least |v − s| so far, the rounding of both sides: what engines fail to load is often one tensor among hundreds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import torch

from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.rollout.decoding.token_sampling import SamplingParams

PROMPT = 48  # tokens of the prompt, at most
SAMPLED = 16  # tokens behind it
CLOSER = 0.5  # of the distance to the trainer's weights: so near to the earlier ones, it is them
RESOLVED = 1e-5  # nats a token: what float32 on both sides tells apart
MOVED = 1e-3  # nats a token, of which bfloat16 must show something
GROWN, APART = 10.0, 1e-4  # of the least gap so far, and nats a token: no rounding


class ProbeScores(NamedTuple):
    """Tokens, and log π of each but the first, by a server and by the trainer."""

    ids: tuple[int, ...]
    server: tuple[float, ...]
    trainer: tuple[float, ...]
    prompt: int  # how many of the scores are the prompt's

    @property
    def gap(self) -> float:
        """Mean |Δ log π|, nats a token."""
        return mean_probe_distance(self.server, self.trainer)


class ProbedEngines(Protocol):
    """Those who hold a policy's weights and sample by them: servers, or an engine in this process."""

    @property
    def key(self) -> str:
        """The key that an error names, with an engine's name."""

    def score(
        self, policy: Policy, prompt: Sequence[int], sampling: SamplingParams, about: str
    ) -> dict[str, tuple[tuple[int, ...], tuple[float, ...]]]:
        """By the name of each: the prompt's tokens and those sampled behind it, and log π of all or of the last."""


@dataclass(slots=True)
class WeightProbe:
    """Asks every engine for the probe, scores it by the policy, and remembers both."""

    engines: ProbedEngines
    sampling: SamplingParams  # the run's: temperature and truncation act on what a server reports
    prompt: tuple[int, ...]
    limit: float
    earlier: dict[str, ProbeScores] = field(default_factory=dict)  # by the name of an engine
    least: dict[str, float] = field(default_factory=dict)  # gap, by name

    def check(self, policy: Policy, about: str) -> float:
        """The largest mean |Δ log π| of a server; a limit of infinity asks for none.

        Raises:
            UserError: a server does not hold the policy's weights.
        """
        if self.limit == math.inf:
            return 0.0
        gaps = []
        sampling = replace(self.sampling, samples=1, max_tokens=SAMPLED, stop=())
        for url, (ids, scores) in self.engines.score(policy, self.prompt, sampling, about).items():
            trainer = trainer_scores(policy, ids, self.sampling.temperature, prompt=len(self.prompt))
            found = ProbeScores(ids, scores, trainer[len(trainer) - len(scores) :], self._scored_of_prompt(ids, scores))
            self._compare(url, found, about)
            gaps.append(found.gap)
        return max(gaps)

    @property
    def _who(self) -> str:
        return "the server" if self.engines.key == "rollout.url" else "vLLM"

    def _scored_of_prompt(self, ids: Sequence[int], scores: Sequence[float]) -> int:
        return len(scores) - (len(ids) - len(self.prompt))

    def _compare(self, url: str, found: ProbeScores, about: str) -> None:
        if not found.gap <= self.limit:  # NaN is no agreement
            raise self._differs(url, found, about)
        before = self.earlier.setdefault(url, found)
        self._check_not_stale(url, before, found, about)
        least = self.least.get(url, found.gap)
        if found.gap > max(GROWN * least, APART):
            raise self._partly(url, found.gap, least, about)
        self.least[url] = min(least, found.gap)

    def _check_not_stale(self, url: str, before: ProbeScores, found: ProbeScores, about: str) -> None:
        n = _common_probe_scores(before, found)
        held, now, then = found.server[:n], found.trainer[:n], before.trainer[:n]
        distances = {"now": mean_probe_distance(held, now), "then": mean_probe_distance(held, then)}
        same = held == before.server[:n]
        if are_probed_weights_stale(**distances, moved=mean_probe_distance(now, then), same=same):
            problem = (
                f"{about}: {self._who} does not hold these weights but earlier ones: its log π of {n} tokens are "
                f"{distances['then']:.1e} nats a token from the trainer's then, {distances['now']:.1e} from those now."
            )
            raise UserError(self.engines.key, url, problem, "By disk: does it see the same files in rollout.folder?")
        if not same:  # else what moves adds up until it shows
            self.earlier[url] = found

    def _partly(self, url: str, gap: float, least: float, about: str) -> UserError:
        problem = (
            f"{about}: {self._who} has not loaded all of these weights: its log π of a probe differ by {gap:.1e} nats "
            f"a token, and differed by {least:.1e} before."
        )
        remedy = "vLLM on a CPU does not reload the head of tied embeddings: rollout.untie=true (docs/scale.md)."
        return UserError(self.engines.key, url, problem, remedy)

    def _differs(self, url: str, found: ProbeScores, about: str) -> UserError:
        at = found.prompt
        asked = mean_probe_distance(found.server[:at], found.trainer[:at])
        gap, limit = f"{found.gap:.2g} nats a token", f"{self.limit:g}"
        if at and asked <= self.limit:
            mode = "raw" if self.sampling.temperature == 1.0 else "processed"
            problem = f"{about}: {url} scores a prompt as the trainer does, but what it samples by {gap} otherwise."
            return UserError(
                "rollout.mismatch_limit", limit, problem, f"Start it with --logprobs-mode {mode}_logprobs."
            )
        problem = f"{about}: {url} does not hold these weights: its log π of a probe differ by {gap}."
        remedy = "Is it this model, and by disk the same rollout.folder? Or allow more, in bfloat16."
        return UserError("rollout.mismatch_limit", limit, problem, remedy)


def are_probed_weights_stale(*, now: float, then: float, moved: float, same: bool) -> bool:
    """Whether a server still holds the weights of an earlier exchange.

    `now`, `then`: how far its scores are from the trainer's under these weights and under the earlier ones; `moved`:
    how far the trainer's moved between the two; `same`: whether the server's are what they were, to the bit.
    """
    return (moved > RESOLVED and then < CLOSER * now) or (same and moved > MOVED)


def mean_probe_distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Mean |a − b|; 0 of nothing."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / max(len(one), 1)


@torch.no_grad()
def trainer_scores(policy: Policy, ids: Sequence[int], temperature: float, *, prompt: int) -> tuple[float, ...]:
    """log π of all tokens but the first: of the prompt's at temperature 1, as servers score it, then at the run's."""
    device = next(policy.parameters()).device
    row = torch.tensor([list(ids)], device=device)
    seen = torch.ones_like(row, dtype=torch.bool)
    at_one, at_own = (
        policy.score(row[:, :1], seen[:, :1], row[:, 1:], seen[:, 1:], heat).logp[0].tolist()
        for heat in (1.0, temperature)
    )
    return (*at_one[: prompt - 1], *at_own[prompt - 1 :])


def _common_probe_scores(one: ProbeScores, other: ProbeScores) -> int:
    """How many scores are of the same tokens behind the same ones."""
    if one.prompt != other.prompt:
        return 0
    same = next((i for i, (a, b) in enumerate(zip(one.ids, other.ids)) if a != b), min(len(one.ids), len(other.ids)))
    unscored = len(one.ids) - len(one.server)
    return max(0, same - unscored)
