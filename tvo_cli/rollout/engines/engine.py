"""Engines that generate for an evaluation: the interface, and this program's own generation loop behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from tvo_cli.model import Policy
from tvo_cli.rollout.decoding.cache_slots import has_slots
from tvo_cli.rollout.decoding.onednn import LARGE, onednn_keeps_accuracy, onednn_matmul
from tvo_cli.rollout.decoding.token_sampling import SamplingParams
from tvo_cli.rollout.generation import generate

QUEUED = 8  # batches that wait together


class PairTokens(NamedTuple):
    """Of a completion of an engine of two models that took turns: the tokens and positions of each."""

    large: int  # tokens that the large one wrote
    read_small: int  # positions that the small one computed: prompt, own tokens, and those it caught up on
    read_large: int


class Completion(NamedTuple):
    """One response to a prompt."""

    text: str
    tokens: int
    finished: bool  # by itself, not by the length limit
    pair: PairTokens | None = None  # where two models took turns


ReportCompletion = Callable[[int, int, Completion], object]  # index of the prompt, sample, what came


class Engine(Protocol):
    """Prompts → completions. The completion of (key, sample) depends on the seed and the model alone."""

    @property
    def context(self) -> int | None:
        """Tokens that prompt and completion may have together; None when unknown."""

    @property
    def batches_at_once(self) -> int:
        """Batches of `batch_size` completions that a call may hold: more than one where rows that wait join others."""

    def lengths(self, prompts: Sequence[str]) -> list[int]:
        """Tokens of each prompt."""

    def __call__(
        self,
        prompts: Sequence[str],
        keys: Sequence[str],
        sampling: SamplingParams,
        seed: int,
        report: ReportCompletion | None = None,
    ) -> list[list[Completion]]:
        """`sampling.samples` completions of each prompt; an engine that can reports each as soon as it is over."""


class EngineInProcess:
    """What an engine knows of prompts by a policy in this process."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    @property
    def context(self) -> int | None:
        """max_position_embeddings of the model's config."""
        return getattr(self._policy.network.config.get_text_config(), "max_position_embeddings", None)

    def lengths(self, prompts: Sequence[str]) -> list[int]:
        """Tokens of each prompt."""
        found: list[int] = self._policy.encode(prompts)[1].sum(1).tolist()
        return found


class LocalEngine(EngineInProcess):
    """This program's own generation loop."""

    def __init__(self, policy: Policy, cache_bytes: float = 0.0) -> None:
        """`cache_bytes`: of the KV cache of all rows at once; 0: no bound."""
        super().__init__(policy)
        self._cache_bytes = cache_bytes

    @property
    def batches_at_once(self) -> int:
        """So many that the slots are empty in the end only; no more, as their responses are in memory together."""
        return QUEUED if has_slots(self._policy.network) else 1

    def __call__(
        self,
        prompts: Sequence[str],
        keys: Sequence[str],
        sampling: SamplingParams,
        seed: int,
        report: ReportCompletion | None = None,
    ) -> list[list[Completion]]:
        """Prompts of like length together; waiting rows join running ones."""

        def of_row(row: int, *completion: Any) -> None:
            if report is not None:
                report(*divmod(row, sampling.samples), Completion(*completion))

        least = 0 if onednn_keeps_accuracy() else LARGE  # with default products only a large network gains
        with onednn_matmul(self._policy.network, least=least):
            bounded = replace(sampling, cache_bytes=self._cache_bytes)
            rollout = generate(self._policy, prompts, keys, bounded, seed=seed, report=of_row if report else None)
        counts = rollout.mask.sum(1).tolist()
        ended = rollout.finished.tolist()
        found = [Completion(*row) for row in zip(rollout.texts, counts, ended, strict=True)]
        return [found[i : i + sampling.samples] for i in range(0, len(found), sampling.samples)]
