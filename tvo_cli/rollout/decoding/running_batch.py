"""The rows that are decoded together, each in a slot: what is sampled of them, dropped, and put in their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tvo_cli.rollout.decoding.decoding_network import PrefilledPrompts
from tvo_cli.rollout.decoding.decoding_state import DecodingState
from tvo_cli.rollout.decoding.kv_cache import next_multiple


@dataclass(slots=True)
class RunningBatch:
    """n slots; a slot whose row is over is fed on until it is dropped or given to another row."""

    state: DecodingState
    logits: Tensor  # [n, V], of the next token
    uniforms: Tensor  # [n, T]
    rows: list[int]  # [n], the row's place in the rollout
    row: Tensor  # int64 [n], the same on the device
    token: Tensor  # int64 [n], the newest
    age: Tensor  # int64 [n], tokens of the response so far
    live: Tensor  # bool [n]
    joined: bool = False  # whether rows have been admitted while others ran

    @classmethod
    def of(
        cls, prompts: PrefilledPrompts, source: Tensor, uniforms: Tensor, rows: Sequence[int], age: Tensor
    ) -> RunningBatch:
        """Responses of `age` tokens, which were read with their prompt `source[i]`, in slot i."""
        row = torch.tensor(rows, device=source.device)
        logits, state = prompts.logits[source], DecodingState.of(prompts, source)
        return cls(state, logits, uniforms, list(rows), row, torch.zeros_like(row), age, torch.ones_like(row).bool())

    def __len__(self) -> int:
        return len(self.rows)

    def next_uniforms(self) -> Tensor:
        """The uniform number of each row's next token, [n]."""
        last = self.uniforms.shape[1] - 1
        return self.uniforms.gather(1, self.age.clamp(max=last)[:, None]).squeeze(1)

    def select(self, slots: Tensor) -> None:
        """These slots and no others, int64 [k]; one that comes twice makes room for another row."""
        self.state.select(slots)
        self.rows = [self.rows[slot] for slot in slots.tolist()]
        for name in ("logits", "uniforms", "row", "token", "age", "live"):
            setattr(self, name, getattr(self, name)[slots])

    def put(
        self,
        prompts: PrefilledPrompts,
        source: Tensor,
        uniforms: Tensor,
        rows: Sequence[int],
        age: Tensor,
        slots: Tensor,
    ) -> None:
        """Responses as in `of`, to prompt `source[i]` in slot `slots[i]`, in place of what is there."""
        self.state.admit(prompts, source, slots)
        for slot, row in zip(slots.tolist(), rows, strict=True):
            self.rows[slot] = row
        self.logits[slots], self.uniforms[slots] = prompts.logits[source], uniforms
        self.row[slots] = torch.tensor(rows, device=slots.device)
        self.age[slots], self.live[slots], self.joined = age, True, True

    def free_slots(self, count: int) -> Tensor:
        """Slots for so many new rows, int64 [count]: those of rows that are over, then further ones."""
        free = (~self.live).nonzero().flatten()[:count]
        lacking, size = count - len(free), len(self)
        if lacking:
            every = torch.arange(size + lacking, device=free.device)
            self.select(every % size)
            free = torch.cat([free, every[size:]])
        return free


def rows_to_keep(live: Tensor, step: int) -> Tensor:
    """Row numbers of the living, and of as many others as make a multiple of `step`, in their order."""
    count = min(next_multiple(int(live.sum()), step), len(live))
    return live.int().sort(descending=True, stable=True).indices[:count].sort().values
