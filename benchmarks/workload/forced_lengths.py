"""Responses of given lengths from tvo's own generation loop: a uniform number of 1 marks where one must end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from typing import Any

import torch

from benchmarks.workload.work import PLAIN

LengthsOfRows = Callable[[Sequence[tuple[str, int]]], Sequence[int]]  # of (key, sample)


def force_lengths(lengths: LengthsOfRows, ends: Collection[int]) -> None:
    """From now on a response ends after its length, with the last of the tokens that end one, and never before."""
    waiting: Any = import_module("tvo_cli.rollout.decoding.waiting_rows")
    loop: Any = import_module("tvo_cli.rollout.decoding.continuous_batching")
    uniforms, draw = waiting.uniform_numbers, loop.sample_token

    def marked(seed: int, rows: Sequence[tuple[str, int]], length: int) -> torch.Tensor:
        numbers: torch.Tensor = uniforms(seed, rows, length)
        numbers[torch.arange(len(numbers)), torch.tensor(lengths(rows)) - 1] = 1.0
        return numbers

    def drawn(logits: torch.Tensor, uniform: torch.Tensor, sampling: Any) -> tuple[torch.Tensor, torch.Tensor]:
        token, logp = draw(logits, uniform, sampling)
        ended = torch.isin(token, torch.tensor(sorted(ends)))
        wanted = torch.where(uniform >= 1.0, max(ends), torch.where(ended, PLAIN, token))
        changed = (wanted != token).nonzero().flatten()
        if len(changed):
            again = torch.log_softmax(logits[changed].float() / sampling.temperature, dim=-1)
            logp = logp.index_copy(0, changed, again.gather(-1, wanted[changed, None]).squeeze(-1))
        return wanted, logp

    waiting.uniform_numbers, loop.sample_token = marked, drawn
