"""The waiting queue of a rollout: responses that have no slot yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from tvo_cli.model.forward_pass.forward_inputs_and_outputs import trim_left_padding
from tvo_cli.rollout.decoding.token_sampling import first_samples, uniform_numbers


class WaitingRow(NamedTuple):
    """A response that is to be sampled."""

    prompt: int
    sample: int


@dataclass(slots=True)
class WaitingRows:
    """A queue in an order of its own: short prompts first, so that those together carry little padding."""

    ids: Tensor  # int64 [P, L], left-padded
    mask: Tensor  # bool [P, L]
    keys: Sequence[str]  # [P]
    numbers: Sequence[int]  # [P], of each prompt's first sample among those of its key
    samples: int  # G
    lengths: tuple[int, ...]  # [P], tokens of each prompt
    order: tuple[int, ...]  # [P]
    taken: int = 0

    @classmethod
    def of(cls, ids: Tensor, mask: Tensor, keys: Sequence[str], samples: int) -> WaitingRows:
        """Every sample of every prompt."""
        counts = mask.sum(1)
        order = counts.sort(stable=True).indices.tolist()
        return cls(ids, mask, keys, first_samples(keys, samples), samples, tuple(counts.tolist()), tuple(order))

    def __len__(self) -> int:
        return len(self.order) * self.samples - self.taken

    def first(self, count: int) -> list[WaitingRow]:
        """The first rows of the queue, at most `count`."""
        places = range(self.taken, self.taken + min(count, len(self)))
        return [WaitingRow(self.order[place // self.samples], place % self.samples) for place in places]

    def take(self, count: int) -> list[WaitingRow]:
        """The first rows, which then wait no longer."""
        rows = self.first(count)
        self.taken += len(rows)
        return rows

    def whole_prompts(self, count: int) -> int:
        """The largest number of rows up to `count` that leaves no prompt's samples to two batches, where one can be."""
        done = self.taken % self.samples
        if done or count < self.samples:
            return min(count, self.samples - done)
        return count - count % self.samples

    def prompts(self, chosen: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Ids and mask of some prompts, left-padded to the longest of them."""
        index = torch.tensor(chosen, device=self.ids.device)
        return trim_left_padding(self.ids[index], self.mask[index])

    def uniforms(self, rows: Sequence[WaitingRow], seed: int, limit: int) -> Tensor:
        """The uniform numbers of rows on the device [n, T], in float64 where it has that (Apple's GPUs do not)."""
        drawn_by = [(self.keys[row.prompt], self.numbers[row.prompt] + row.sample) for row in rows]
        drawn = uniform_numbers(seed, drawn_by, limit)
        device = self.ids.device
        return drawn.to(device, torch.float32 if device.type == "mps" else torch.float64)

    def places(self, rows: Sequence[WaitingRow]) -> list[int]:
        """The rows' numbers in the rollout."""
        return [row.prompt * self.samples + row.sample for row in rows]


def prompts_of_rows(rows: Sequence[WaitingRow]) -> list[int]:
    """The prompts of waiting rows, each once, in their order."""
    return list(dict.fromkeys(row.prompt for row in rows))
