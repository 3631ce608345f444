"""Sampling of tokens: temperature, top-k, top-p, by inverse CDF from one uniform number a token."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tvo_cli.rollout.decoding.token_temperature import TokenHeat

BLOCK = 512  # tokens a block of the two-level search


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How tokens are sampled: temperature 0 is greedy, top_p 1 and top_k 0 are off."""

    samples: int
    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    stop: tuple[str, ...] = ()
    batch_size: int = 512
    cache_bytes: float = 0.0  # of the KV cache of all rows at once; 0: no bound
    heat: TokenHeat | None = None  # by which each token has a temperature of its own; None: all have `temperature`

    @property
    def plain(self) -> bool:
        """Whether tokens are drawn from the whole distribution, at one temperature."""
        return self.temperature > 0.0 and self.top_p == 1.0 and self.top_k == 0 and self.heat is None

    @classmethod
    def of(cls, node: Mapping[str, Any] | Any) -> SamplingParams:
        """From a rollout node."""
        return cls(
            samples=int(node["samples"]),
            max_tokens=int(node["max_tokens"]),
            temperature=float(node["temperature"]),
            top_p=float(node["top_p"]),
            top_k=int(node["top_k"]),
            stop=tuple(node["stop"] or ()),
            batch_size=int(node["batch_size"]),
        )


def uniform_numbers(seed: int, rows: Sequence[tuple[str, int]], length: int) -> Tensor:
    """One number in [0, 1) for each position of each (key, sample), float64 [rows, length].

    A row is a pure function of (seed, key, sample), its start of `length` too: neither batching nor other rows
    nor a longer limit can change it.
    """
    return torch.from_numpy(np.stack([_uniform_row(seed, key, sample, length) for key, sample in rows]))


def first_samples(keys: Sequence[str], samples: int) -> list[int]:
    """The number of each prompt's first sample, [P]: 0, and where a key is given again the one behind its last.

    So prompts of one key, each with a prefix of its own, draw what the samples of a single prompt of that key draw.
    """
    counted, firsts = Counter[str](), list[int]()
    for key in keys:
        firsts.append(counted[key])
        counted[key] += samples
    return firsts


def _uniform_row(seed: int, key: str, sample: int, length: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    digest = hashlib.blake2b(f"{seed}\x1f{key}\x1f{sample}".encode(), digest_size=16).digest()
    bits = np.random.Philox(key=np.frombuffer(digest, dtype=np.uint64))
    return np.random.Generator(bits).random(length)


def sample_token(logits: Tensor, uniform: Tensor, sampling: SamplingParams) -> tuple[Tensor, Tensor]:
    """A token and its log π for each row: logits float [n, V], uniform [n] → int64 [n], float32 [n].

    log π is that of the whole distribution at the sampling temperature (at temperature 1 for greedy), whatever
    top-k and top-p cut off or a token's own temperature makes of it: the objective's ratio must not see that. It is
    nan, and the token any, where a row's logits are no numbers.
    """
    if sampling.plain and logits.shape[-1] > BLOCK:
        return _sample_token_wide_vocabulary(logits.float(), uniform, sampling.temperature)
    log_pi = torch.log_softmax(logits.float() / (sampling.temperature or 1.0), dim=-1)
    if sampling.temperature == 0.0:
        token = log_pi.argmax(-1)
    else:
        heat = sampling.heat
        pi = log_pi.exp() if heat is None else (log_pi / heat.factor(log_pi)[:, None]).softmax(-1)
        token = _sample_by_inverse_cdf(_truncate_top_k_top_p(pi, sampling), uniform)
    return token, log_pi.gather(-1, token[:, None]).squeeze(-1)


def _sample_token_wide_vocabulary(logits: Tensor, uniform: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """`sample_token` over a large vocabulary, nothing truncated: e^{z − max} once, its sums for token and log π."""
    most = logits.amax(-1, keepdim=True)
    weights = (logits - most) if temperature == 1.0 else (logits - most).div_(temperature)
    token, total = _two_level_inverse_cdf(weights.exp_(), uniform)
    chosen = (logits.gather(-1, token[:, None]) - most).squeeze(-1) / temperature
    return token, (chosen - total.log().to(chosen.dtype)).clamp(max=0.0)


def _sample_by_inverse_cdf(weights: Tensor, uniform: Tensor) -> Tensor:
    """The first token whose cumulated weight exceeds u times the total; never one of weight 0.

    weights [n, V] ≥ 0, uniform [n] in [0, 1) → int64 [n]. Over a large vocabulary first the block of tokens is
    found, then the token in it: V / BLOCK + BLOCK numbers a row are cumulated, in the precision of `uniform`.
    """
    if weights.shape[-1] <= BLOCK:
        return _first_index_above(weights, uniform)
    return _two_level_inverse_cdf(weights, uniform)[0]


def _two_level_inverse_cdf(weights: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Token [n] and total weight [n]: first the block of tokens, then the token in it. The last block is shorter."""
    vocabulary = weights.shape[-1]
    even = vocabulary - vocabulary % BLOCK
    mass = weights[:, :even].unflatten(-1, (-1, BLOCK)).sum(-1)
    if even < vocabulary:
        mass = torch.cat([mass, weights[:, even:].sum(-1, keepdim=True)], dim=-1)
    mass = mass.to(uniform.dtype)
    total = mass.sum(-1)
    block = _first_index_above(mass, uniform)
    before = (mass.cumsum(-1) - mass).gather(-1, block[:, None]).squeeze(-1)
    inside = mass.gather(-1, block[:, None]).squeeze(-1)
    rest = ((uniform * total - before) / inside).clamp(0.0, 1.0)
    places = block[:, None] * BLOCK + torch.arange(BLOCK, device=weights.device)
    chosen = weights.gather(-1, places.clamp(max=vocabulary - 1)) * (places < vocabulary)
    return (block * BLOCK + _first_index_above(chosen, rest)).clamp_(max=vocabulary - 1), total


def _first_index_above(weights: Tensor, uniform: Tensor) -> Tensor:
    """The first index whose cumulated weight exceeds u times the total; rounding cannot pass the last with weight.

    Of weights that are no numbers the last index: one beyond it would end a GPU's process without a word.
    """
    cumulated = weights.cumsum(-1, dtype=uniform.dtype)
    total = cumulated[:, -1:]
    below = torch.nextafter(total, torch.zeros_like(total))
    threshold = torch.minimum(uniform[:, None] * total, below)
    return torch.searchsorted(cumulated, threshold, right=True).squeeze(-1).clamp_(max=weights.shape[-1] - 1)


def _truncate_top_k_top_p(pi: Tensor, sampling: SamplingParams) -> Tensor:
    """π with everything outside the top k and outside the nucleus set to 0."""
    if sampling.top_k > 0 and sampling.top_k < pi.shape[-1]:
        most, index = pi.topk(sampling.top_k, dim=-1)  # exactly k, also among equals
        pi = torch.zeros_like(pi).scatter(-1, index, most)
    if sampling.top_p < 1.0:
        ordered, index = pi.sort(dim=-1, descending=True)
        before = ordered.cumsum(-1) - ordered
        kept = before < sampling.top_p * ordered.sum(-1, keepdim=True)
        pi = torch.zeros_like(pi).scatter(-1, index, torch.where(kept, ordered, 0.0))
    return pi
