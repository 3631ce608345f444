"""Inference servers as the engine of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tvo_cli.model.prompt_encoding import encode_prompts
from tvo_cli.rollout.decoding.token_sampling import SamplingParams
from tvo_cli.rollout.engines.completion_service import CompletionService, served_context
from tvo_cli.rollout.engines.engine import Completion, ReportCompletion
from tvo_cli.rollout.server_completion import ServedResponse, ServedTokens


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
