"""Inference servers as the sampler of a training run: they are handed the policy's weights, and sample rollouts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from tvo_cli.model import Policy
from tvo_cli.rollout.decoding.token_sampling import SamplingParams
from tvo_cli.rollout.engines.served_rollout import Completer, Receive, rollout_of_responses
from tvo_cli.rollout.response_prefixes import ResponsePrefixes
from tvo_cli.rollout.server_completion import (
    ServedTokens,
    ServedVocabulary,
)
from tvo_cli.rollout.weight_transfer.weight_exchange import WeightExchange
from tvo_cli.rollout.weight_transfer.weight_probe import WeightProbe
from tvo_cli.types import Rollout

log = logging.getLogger("tvo")


@dataclass(slots=True)
class ServerSampler:
    """Samples rollouts from servers that are handed the policy's weights before."""

    service: Completer
    exchange: WeightExchange
    probe: WeightProbe
    version: tuple[int, int] | None = None  # of the weights that the servers hold: step, returns to earlier ones
    exchanges: bool = field(default=True, init=False)

    @property
    def _about(self) -> str:
        return "" if self.version is None else f"step {self.version[0] + 1}"

    def write(self, policy: Policy, *, writes: bool) -> bool:
        """Put the policy's weights together for the servers."""
        self.exchange.write(policy, writes=writes)
        return True

    def hand_over(self, policy: Policy) -> bool:
        """Have the servers hold them, and score the probe.

        Raises:
            UserError: a server does not hold them afterwards.
        """
        step, rollbacks = self.version or (0, 0)
        self.exchange.load(f"{step}.{rollbacks}", self._about)
        first, gap = not self.probe.earlier, self.probe.check(policy, self._about)
        if first:
            log.info("the servers hold the weights of %s: a probe differs by %.1e nats a token", self._about, gap)
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
        """A rollout of what the servers answer; log π is theirs. A prefix is sent as the end of its prompt."""
        tokens, about = ServedTokens(policy.tokenizer, ServedVocabulary.of(policy)), f"{self._about}, "

        def complete(asked: Sequence[Sequence[int]], taken: Sequence[int], receive: Receive) -> None:
            self.service.complete(asked, keys, sampling, seed, tokens, receive, about, taken)

        found = rollout_of_responses(policy, prompts, sampling, complete, prefixes)
        self.exchange.confirm(self._about)
        return found
