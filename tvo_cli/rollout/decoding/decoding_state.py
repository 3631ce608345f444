"""The cache of the rows that are decoded together, and where each of them stands in it.

Rows end at the cache's last column. A row of n tokens begins at column `length` − n; the columns before are padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from tvo_cli.rollout.decoding.cache_slots import shift_columns, write_prompts
from tvo_cli.rollout.decoding.decoding_network import DecodingNetwork, PrefilledPrompts
from tvo_cli.rollout.decoding.kv_cache import keeps_tokens, select_kv_cache_rows


@dataclass(slots=True)
class DecodingState:
    """A cache of n slots."""

    cache: DynamicCache
    length: int  # columns L of the cache
    starts: list[int]  # [n], the column of each row's first token
    start: Tensor  # int64 [n], the same on the device
    padded: bool  # whether a row may begin behind the first column

    @classmethod
    def of(cls, prompts: PrefilledPrompts, source: Tensor) -> DecodingState:
        """The prompts' own cache, with prompt `source[i]` in slot i, int64 [n]."""
        starts = [prompts.width - prompts.lengths[index] for index in source.tolist()]
        if source.tolist() != list(range(len(prompts.lengths))):
            select_kv_cache_rows(prompts.cache, source)
        padded = len(set(prompts.lengths)) > 1 and keeps_tokens(prompts.cache)
        return cls(prompts.cache, prompts.width, starts, torch.tensor(starts, device=source.device), padded)

    def step(self, network: DecodingNetwork, token: Tensor) -> Tensor:
        """Feed one token a row, int64 [n]; the next logits [n, V]."""
        position, self.length = self.length - self.start, self.length + 1
        attention = None
        if self.padded:
            columns = torch.arange(self.length, device=self.start.device)
            attention = (columns >= self.start[:, None]).long()
        return network.step(token, position, attention, self.cache)

    def select(self, rows: Tensor) -> None:
        """These rows and no others, int64 [k]; one that comes twice makes room for another."""
        select_kv_cache_rows(self.cache, rows)
        self._set_starts([self.starts[row] for row in rows.tolist()])

    def admit(self, prompts: PrefilledPrompts, source: Tensor, slots: Tensor) -> None:
        """Put prompt `source[i]` into slot `slots[i]`: both int64 [k]."""
        self.shift(max(0, prompts.width - self.length))
        write_prompts(self.cache, slots, prompts.layers, source)
        starts = list(self.starts)
        for slot, index in zip(slots.tolist(), source.tolist(), strict=True):
            starts[slot] = self.length - prompts.lengths[index]
        self._set_starts(starts)
        self.padded |= max(starts) > 0

    def shift(self, columns: int) -> None:
        """Add empty columns at the left of every row; drop columns where `columns` is negative."""
        if columns == 0:
            return
        shift_columns(self.cache, columns)
        self.length += columns
        self.padded |= columns > 0
        self._set_starts([max(0, start + columns) for start in self.starts])

    def _set_starts(self, starts: list[int]) -> None:
        self.starts, self.start = starts, torch.tensor(starts, device=self.start.device)
