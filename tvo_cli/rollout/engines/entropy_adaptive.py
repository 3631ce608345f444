"""Entropy-adaptive decoding: a small model writes, and a large one takes over where the recent tokens were uncertain.

Simonds 2025, arXiv:2502.06833. At each token the model that writes gives H_t = −Σ p·log₂ p of its raw logits, before
the temperature, in bits; H̄_t is the mean of the last w of them. The next token is the large model's where H̄_t > τ,
the small one's where H̄_t ≤ τ, but never sooner than d tokens after the last switch.

The first token is the small model's, and d does not hold before the first switch. τ = ∞ recovers the small model
alone, bit for bit; τ < 0 with d = 1 the large one from the second token on.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import DynamicCache

from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.model.forward_pass.cache_support import cache_argument, supports_kv_cache
from tvo_cli.model.forward_pass.forward_inputs_and_outputs import accepted_arguments, output_states
from tvo_cli.rollout.decoding.stop_strings import StopStrings
from tvo_cli.rollout.decoding.token_sampling import SamplingParams, sample_token, uniform_numbers
from tvo_cli.rollout.engines.engine import Completion, EngineInProcess, PairTokens, ReportCompletion
from tvo_cli.rollout.non_finite_logits import NonFiniteLogits


class SwitchSettings(NamedTuple):
    """When the models change places."""

    threshold: float  # τ, bits
    window: int  # w, tokens
    least: int  # d, tokens between two switches


@dataclass(slots=True)
class ModelSwitch:
    """Which model writes the next token of one response.

    Fidelity: notes (d, which they do not give, is 10).
    """

    settings: SwitchSettings
    large: bool = False
    since: int = 0  # tokens after the last switch
    recent: deque[float] = field(default_factory=deque)
    switched: bool = False

    def after(self, entropy: float) -> bool:
        """Take the entropy of the token just written, in bits; whether the large model writes the next one."""
        self.recent.append(entropy)
        self.since += 1
        if len(self.recent) > self.settings.window:
            self.recent.popleft()
        wanted = math.fsum(self.recent) / len(self.recent) > self.settings.threshold
        if wanted != self.large and (self.since >= self.settings.least or not self.switched):
            self.large, self.since, self.switched = wanted, 0, True
        return self.large


@dataclass(slots=True)
class Reader:
    """A model with what it has read of one response: tokens that it did not see are read when it is asked again."""

    policy: Policy
    cache: DynamicCache | None  # None: a network without one that grows reads everything anew
    computed: int = 0  # positions in all

    @classmethod
    def of(cls, policy: Policy) -> Reader:
        """Before anything is read."""
        return cls(policy, DynamicCache() if supports_kv_cache(policy.body) else None)

    def logits_after(self, tokens: Tensor) -> Tensor:
        """Logits [V] of the token behind all of `tokens` [n]; those that were not read yet are."""
        known = 0 if self.cache is None else self.cache.get_seq_length()
        fed, body = tokens[None, known:], self.policy.body
        places = torch.arange(known, len(tokens), device=tokens.device)[None]
        arguments: dict[str, Any] = accepted_arguments(
            body.forward, {"use_cache": self.cache is not None, "position_ids": places}
        )
        if self.cache is not None:
            arguments |= cache_argument(body, self.cache)
        states = output_states(body(input_ids=fed, **arguments))
        self.computed += fed.shape[1]
        return self.policy.head(states[0, -1:])[0].float()


class EntropyAdaptiveEngine(EngineInProcess):
    """Two models of one vocabulary behind the interface of an engine; a response at a time."""

    batches_at_once = 1

    def __init__(self, small: Policy, large: Policy, settings: SwitchSettings) -> None:
        """Refuse models whose tokens are not the same."""
        if small.tokenizer.get_vocab() != large.tokenizer.get_vocab():
            problem = "its tokens are not those of model.path, so that neither model can go on after the other."
            raise UserError("protocol.switch.small", small.network.name_or_path, problem, "Take two of one family.")
        super().__init__(large)
        self._small, self._large, self._settings = small, large, settings

    @property
    def context(self) -> int | None:
        """The shorter of both."""
        found = [EngineInProcess(one).context for one in self._pair]
        return min((one for one in found if one is not None), default=None)

    @property
    def parameters(self) -> tuple[int, int]:
        """Of the small and of the large model."""
        small, large = (sum(weight.numel() for weight in one.parameters()) for one in self._pair)
        return small, large

    @property
    def _pair(self) -> tuple[Policy, Policy]:
        return self._small, self._large

    def __call__(
        self,
        prompts: Sequence[str],
        keys: Sequence[str],
        sampling: SamplingParams,
        seed: int,
        report: ReportCompletion | None = None,
    ) -> list[list[Completion]]:
        """One response after the other; each depends on (seed, key, sample) and the two models alone."""
        found: list[list[Completion]] = []
        for prompt, (text, key) in enumerate(zip(prompts, keys, strict=True)):
            found.append([])
            for sample in range(sampling.samples):
                uniforms = uniform_numbers(seed, [(key, sample)], sampling.max_tokens)[0]
                found[-1].append(self.respond(text, uniforms, sampling, key))
                if report is not None:
                    report(prompt, sample, found[-1][-1])
        return found

    @torch.inference_mode()
    def respond(self, prompt: str, uniforms: Tensor, sampling: SamplingParams, key: str = "") -> Completion:
        """One response, token by token; `uniforms` [T] draw them. `key`: of the prompt, for what is said of it."""
        start = self._large.encode([prompt])[0][0]
        tokens, count, by_large = start, 0, 0
        readers, switch, finished = [Reader.of(one) for one in self._pair], ModelSwitch(self._settings), False
        stopped = StopStrings(self._large.tokenizer, sampling.stop, start.device)
        ends = self._large.end_ids | stopped.end_ids
        while count < sampling.max_tokens and not finished:
            logits = readers[switch.large].logits_after(tokens)
            token, logp = sample_token(logits[None], uniforms[count : count + 1].to(logits.device), sampling)
            if not math.isfinite(float(logp)):
                raise NonFiniteLogits(key, count + 1)
            tokens, count, by_large = torch.cat([tokens, token]), count + 1, by_large + switch.large
            finished = int(token) in ends or bool(stopped(*_response(tokens, len(start)))[0])
            switch.after(entropy_in_bits(logits))
        text = self._large.tokenizer.decode(tokens[len(start) :].tolist(), skip_special_tokens=True)
        return Completion(text, count, finished, PairTokens(by_large, *(one.computed for one in readers)))


def entropy_in_bits(logits: Tensor) -> float:
    """−Σ p·log₂ p of softmax(logits [V])."""
    logp = logits.double().log_softmax(-1)
    return float(-torch.where(logp > -math.inf, logp.exp() * logp, 0.0).sum()) / math.log(2.0)


def _response(tokens: Tensor, prompt: int) -> tuple[Tensor, Tensor, Tensor]:
    """As stop strings are looked for: ids [1, T], row [1] and length [1]."""
    response = tokens[None, prompt:]
    return (
        response,
        torch.zeros(1, dtype=torch.long, device=tokens.device),
        torch.tensor([response.shape[1]], device=tokens.device),
    )
