"""Sampling by servers: of rollouts in training, of completions in an evaluation."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.model.prompt_encoding import encode_prompts
from tvo_cli.rollout.decoding.token_sampling import SamplingParams
from tvo_cli.rollout.engines.engine import Completion, ReportCompletion
from tvo_cli.rollout.engines.served_rollout import Completer, Receive, rollout_of_responses
from tvo_cli.rollout.response_prefixes import ResponsePrefixes
from tvo_cli.rollout.server_client import ServerCall, ServerClient
from tvo_cli.rollout.server_completion import (
    CompletionCheck,
    ServedResponse,
    ServedTokens,
    ServedVocabulary,
    completion_request,
)
from tvo_cli.rollout.weight_transfer.weight_exchange import WeightExchange
from tvo_cli.rollout.weight_transfer.weight_probe import WeightProbe
from tvo_cli.types import Rollout

log = logging.getLogger("tvo")
COMPLETIONS = "/v1/completions"
SEEDS = 2**31


@dataclass(frozen=True, slots=True)
class CompletionService:
    """Servers of one model, as who completes prompts of token ids."""

    client: ServerClient
    model: str  # its name there

    def complete(
        self,
        prompts: Sequence[Sequence[int]],
        keys: Sequence[str],
        sampling: SamplingParams,
        seed: int,
        tokens: ServedTokens,
        receive: Receive,
        about: str = "",
        taken: Sequence[int] = (),
    ) -> None:
        """`sampling.samples` responses to each prompt, a request and a seed each; `receive` is given each as it comes.

        `taken`: the tokens of each response's budget that its prompt holds already; none where it is empty.

        Raises:
            UserError: one could not be had; none of the others is waited for then.
        """
        calls, checks = list[ServerCall](), list[CompletionCheck]()
        for prompt, key, used in zip(prompts, keys, taken or [0] * len(keys), strict=True):
            left = replace(sampling, max_tokens=sampling.max_tokens - used)
            body = completion_request(self.model, prompt, left, *tokens)
            url = replica_of(key, self.client.urls)
            for sample in range(sampling.samples):
                told = f"{about}response {sample} to {key}"
                calls.append(ServerCall(url, COMPLETIONS, body | {"seed": request_seed(seed, key, sample)}, told))
                checks.append(CompletionCheck(url, told, body, tokens.vocabulary))
        self.client.run(calls, lambda row, answer: receive(row, checks[row].read(answer)))


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


@dataclass(slots=True)
class ServerEngine:
    """Completions of an evaluation from servers, reported as they come; none is asked before something is missing."""

    service: CompletionService
    tokens: ServedTokens
    prepare: Callable[[Sequence[int]], object] | None  # given a prompt: servers hold the model then; called once
    confirm: Callable[[str], object]  # that they still hold it

    @property
    def context(self) -> int | None:
        """What the servers were started with."""
        return served_context(self.service.client, self.service.model)

    @property
    def batches_at_once(self) -> int:
        """One: a server's own scheduler fills its slots."""
        return 1

    def lengths(self, prompts: Sequence[str]) -> list[int]:
        """Tokens of each prompt."""
        return list(map(len, encode_prompts(self.tokens.tokenizer, prompts)))

    def __call__(
        self,
        prompts: Sequence[str],
        keys: Sequence[str],
        sampling: SamplingParams,
        seed: int,
        report: ReportCompletion | None = None,
    ) -> list[list[Completion]]:
        """A request a completion; each is reported when it is over."""
        found: list[list[Any]] = [[None] * sampling.samples for _ in prompts]

        def receive(row: int, response: ServedResponse) -> None:
            prompt, sample = divmod(row, sampling.samples)
            text = str(self.tokens.tokenizer.decode(list(response.ids), skip_special_tokens=True))
            found[prompt][sample] = Completion(text, len(response.ids), response.finished)
            if report is not None:
                report(prompt, sample, found[prompt][sample])

        asked = encode_prompts(self.tokens.tokenizer, prompts)
        if self.prepare is not None:
            self.prepare(asked[0])
            self.prepare = None  # and what it holds of the model goes
        self.service.complete(asked, keys, sampling, seed, self.tokens, receive)
        self.confirm(f"{len(prompts)} prompts")
        return found


def served_context(client: ServerClient, model: str) -> int | None:
    """Tokens of the shortest context where servers sample; None where they do not say.

    Raises:
        UserError: a server has no model of that name.
    """
    lengths: list[int] = []
    for url, answer in zip(client.urls, client.at_all("/v1/models", None, ""), strict=True):
        served = {one.get("id"): one for one in (answer or {}).get("data", ())}
        if model not in served:
            names = ", ".join(map(str, served)) or "no model"
            problem = f"{url} serves {names}."
            raise UserError("rollout.model", model, problem, "Give the name that its --served-model-name is.")
        length = served[model].get("max_model_len")
        lengths += [int(length)] if length else []
    return min(lengths, default=None)


def request_seed(seed: int, key: str, sample: int) -> int:
    """A seed for each (problem, sample)."""
    digest = hashlib.blake2b(f"{seed}\x1f{key}\x1f{sample}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % SEEDS


def replica_of(key: str, urls: Sequence[str]) -> str:
    """The replica that a problem is dealt to: by the hash of its key, so that its samples share their prompt there."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return urls[int.from_bytes(digest, "big") % len(urls)]
