"""Sampling by servers: of rollouts in training, of completions in an evaluation."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.model.prompt_encoding import encode_prompts
from tvo_cli.rollout.engine import Completion, ReportCompletion
from tvo_cli.rollout.generation import rollout_from_rows
from tvo_cli.rollout.response_rows import ResponseRows
from tvo_cli.rollout.server_client import ServerCall, ServerClient
from tvo_cli.rollout.server_completion import (
    CompletionCheck,
    ServedResponse,
    ServedVocabulary,
    completion_request,
    replica_of,
    request_seed,
)
from tvo_cli.rollout.token_sampling import SamplingParams
from tvo_cli.rollout.weight_exchange import DiskExchange
from tvo_cli.rollout.weight_probe import WeightProbe
from tvo_cli.types import Rollout

log = logging.getLogger("tvo")
COMPLETIONS = "/v1/completions"
Receive = Callable[[int, ServedResponse], object]  # row p·G + g, its response


class ServedTokens(NamedTuple):
    """The tokens that servers and this program share."""

    tokenizer: Any
    vocabulary: ServedVocabulary


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
    ) -> None:
        """`sampling.samples` responses to each prompt, a request and a seed each; `receive` is given each as it comes.

        Raises:
            UserError: one could not be had; none of the others is waited for then.
        """
        calls, checks = list[ServerCall](), list[CompletionCheck]()
        for prompt, key in zip(prompts, keys, strict=True):
            body = completion_request(self.model, prompt, sampling, *tokens)
            url = replica_of(key, self.client.urls)
            for sample in range(sampling.samples):
                told = f"{about}response {sample} to {key}"
                calls.append(ServerCall(url, COMPLETIONS, body | {"seed": request_seed(seed, key, sample)}, told))
                checks.append(CompletionCheck(url, told, body, tokens.vocabulary))
        self.client.run(calls, lambda row, answer: receive(row, checks[row].read(answer)))


@dataclass(slots=True)
class ServerSampler:
    """Samples rollouts from servers that are handed the policy's weights before."""

    service: CompletionService
    exchange: DiskExchange
    probe: WeightProbe
    version: tuple[int, int] | None = None  # of the weights that the servers hold: step, returns to earlier ones
    exchanges: bool = field(default=True, init=False)

    @property
    def _about(self) -> str:
        return "" if self.version is None else f"step {self.version[0] + 1}"

    def write(self, policy: Policy, *, writes: bool) -> bool:
        """Write the policy's weights where servers find them."""
        self.exchange.write(policy, writes=writes)
        return True

    def hand_over(self, policy: Policy) -> bool:
        """Have the servers load them, and score the probe.

        Raises:
            UserError: a server does not hold them afterwards.
        """
        step, rollbacks = self.version or (0, 0)
        self.exchange.load(self.exchange.folder, f"{step}.{rollbacks}", self._about)
        first, gap = not self.probe.earlier, self.probe.check(policy, self._about)
        if first:
            log.info("the servers hold the weights of %s: a probe differs by %.1e nats a token", self._about, gap)
        return True

    def __call__(
        self, policy: Policy, prompts: Sequence[str], keys: Sequence[str], sampling: SamplingParams, *, seed: int
    ) -> Rollout:
        """A rollout of what the servers answer; log π is theirs."""
        ids, mask = policy.encode(prompts)
        asked = [row[seen].tolist() for row, seen in zip(ids.cpu(), mask.cpu())]
        count, host = len(asked) * sampling.samples, torch.device("cpu")
        rows = ResponseRows.empty(count, sampling.max_tokens, policy.pad_id, host)
        tokens = ServedTokens(policy.tokenizer, ServedVocabulary.of(policy))

        def receive(row: int, response: ServedResponse) -> None:
            length = len(response.ids)
            rows.ids[row, :length] = torch.tensor(response.ids)
            rows.logp[row, :length] = torch.tensor(response.logp)
            rows.mask[row, :length] = True
            rows.finished[row] = response.finished

        self.service.complete(asked, keys, sampling, seed, tokens, receive, f"{self._about}, ")
        self.exchange.confirm(self._about)
        return rollout_from_rows(policy, ids, mask, rows.cut().to(ids.device), sampling)


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
    """Tokens of the shortest context of the servers; None where they do not say.

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
