"""Admission of waiting rows to a running batch (continuous batching): when it is due, pays, and fits the cache.

Orca (Yu et al., OSDI 2022) and vLLM (arXiv:2309.06180) admit whenever a slot is free. Rows of one cache are padded to
the longest here, so that a row which joins old ones pays for columns that hold nothing. All by arithmetic on lengths:
no clock decides, and a rollout is made again in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from tvo_cli.byte_sizes import tensor_bytes
from tvo_cli.memory.kv_cache_size import AHEAD, cache_bytes_per_token, rows_within_cache
from tvo_cli.memory.network_shape import NetworkShape, shape_of_network
from tvo_cli.model import Policy
from tvo_cli.rollout.decoding.cache_slots import has_slots
from tvo_cli.rollout.decoding.token_sampling import SamplingParams

FREED = 0.2  # share of free slots from which it pays to fill them, or to drop finished rows from the cache
LAYER_BYTES = 6e6  # of memory that are read in the time that the operations of a layer take to start


@dataclass(frozen=True, slots=True)
class AdmissionRule:
    """How many rows may run at once, and when others join them."""

    slots: int  # rows at once, at most
    columns: int  # tokens of the longest prompt and of the longest response together
    step_tokens: float  # K: tokens of a cache that are read in the time that a step takes whatever its rows
    joins: bool  # whether rows can join running ones

    @classmethod
    def of(cls, policy: Policy, prompt: int, rows: int, sampling: SamplingParams) -> AdmissionRule:
        """For `rows` responses to prompts of at most `prompt` tokens."""
        shape, joins = shape_of_network(policy.network), has_slots(policy.network)
        each = _cache_bytes_per_token(policy, shape)
        slots = _rows_that_fit_cache(prompt, each, sampling, held=False)
        if joins and slots < rows:
            slots = _rows_that_fit_cache(prompt, each, sampling, held=sampling.samples > 1)
        step_bytes = tensor_bytes(policy.parameters()) + LAYER_BYTES * shape.layers
        tokens = step_bytes / each if each else float("inf")
        return cls(slots, prompt + sampling.max_tokens, tokens, joins)

    def is_due(self, living: int) -> bool:
        """Whether enough slots are free."""
        return self.joins and self.slots - living >= FREED * self.slots

    def pays(self, living: int, length: int, prompts: Sequence[int]) -> bool:
        """Whether the padding costs less than the new rows save of what a step costs whatever its rows.

        With m living rows in a cache of L columns, f new rows of p_i prompt tokens and L' = max(L, p):
        m·(L' − L) + Σ (L' − p_i) ≤ K·f / (m + f).
        """
        width = max(length, *prompts)
        padding = living * (width - length) + sum(width - prompt for prompt in prompts)
        return padding * (living + len(prompts)) <= self.step_tokens * len(prompts)

    def readable(self, slots: int, length: int, prompt: int) -> int:
        """How many prompts of at most `prompt` tokens may be read beside so many slots of `length` columns.

        Their own caches are there until they have been copied into slots, that of the last twice where it is held on;
        all together may need what `slots` rows of full length do.
        """
        left = self.slots * (self.columns + AHEAD) - slots * (max(length, prompt) + AHEAD)
        return max(0, left // prompt - 1)


def _rows_that_fit_cache(prompt: int, bytes_per_token: int, sampling: SamplingParams, *, held: bool) -> int:
    """As many rows as `sampling` allows and its cache holds, beside a prompt of which samples wait if one is held."""
    limit = sampling.cache_bytes and max(1.0, sampling.cache_bytes - held * prompt * bytes_per_token)
    return rows_within_cache(sampling.batch_size, prompt + sampling.max_tokens, bytes_per_token, limit)


def _cache_bytes_per_token(policy: Policy, shape: NetworkShape) -> int:
    """Bytes that a token takes in the cache to which rows are admitted, at the policy's own precision."""
    parameter = next(policy.parameters())
    autocast = torch.is_autocast_enabled(parameter.device.type)
    itemsize = 2 if autocast else parameter.element_size()
    return cache_bytes_per_token(shape, itemsize=itemsize, autocast=autocast)
