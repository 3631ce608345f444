"""Samplers of a training run: who turns prompts into a rollout under the current policy; the own loop, or servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tvo_cli.model import Policy
from tvo_cli.rollout.decoding.token_sampling import SamplingParams
from tvo_cli.rollout.generation import generate
from tvo_cli.rollout.response_prefixes import ResponsePrefixes
from tvo_cli.types import Rollout


class Sampler(Protocol):
    """Samples from a policy. The responses of (key, sample) depend on the seed and the policy alone.

    Prompts of one key share its samples out: those of the second are counted on from the first's.
    """

    exchanges: bool  # whether it samples from weights that are handed over
    version: tuple[int, int] | None  # of those weights: step, and how often earlier ones have come back

    def write(self, policy: Policy, *, writes: bool) -> bool:
        """Write the weights; every rank calls it, to put sharded ones together, and one of them writes."""

    def hand_over(self, policy: Policy) -> bool:
        """Have written weights where they are sampled from, and make sure that they are there."""

    def __call__(
        self,
        policy: Policy,
        prompts: Sequence[str],
        keys: Sequence[str],
        sampling: SamplingParams,
        *,
        seed: int,
        prefixes: ResponsePrefixes | None = None,
    ) -> Rollout:
        """`sampling.samples` responses to each prompt, behind the prompt's prefix where there are some."""


class LocalSampler:
    """This program's own generation loop: it samples from the policy itself."""

    exchanges = False
    version: tuple[int, int] | None = None

    def write(self, policy: Policy, *, writes: bool) -> bool:
        """Nothing to do: the weights are here."""
        return True

    def hand_over(self, policy: Policy) -> bool:
        """Nothing to do: the weights are here."""
        return True

    def __call__(
        self,
        policy: Policy,
        prompts: Sequence[str],
        keys: Sequence[str],
        sampling: SamplingParams,
        *,
        seed: int,
        prefixes: ResponsePrefixes | None = None,
    ) -> Rollout:
        """See rollout/generation.py."""
        return generate(policy, prompts, keys, sampling, seed=seed, prefixes=prefixes)
