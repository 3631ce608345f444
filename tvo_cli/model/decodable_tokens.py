"""Tokens that a tokenizer can decode: a network often has logits for more, and those belong to no policy.

Networks pad their vocabulary (Qwen 2.5: 151,936 logits, 151,665 tokens). What the tokenizer does not know could be
sampled and not be read. So a policy is the softmax over the tokens that it has a name for, π(v) ∝ e^{z_v}, v ≤ V′: in
the sampler, in log-probabilities, entropies and divergences alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

UNREACHABLE = -1e30  # finite: the closed-form gradients multiply it by 0


class DecodableTokens(NamedTuple):
    """Which logits of a network stand for tokens: the first `width`, without `holes`."""

    width: int | None = None  # None: all
    holes: tuple[int, ...] = ()

    def cut(self, logits: Tensor) -> Tensor:
        """Logits [..., V] of the tokens that can be decoded, [..., V′]; −1e30 in holes."""
        kept = logits if self.width is None else logits[..., : self.width]
        if not self.holes:
            return kept
        return kept.index_fill(-1, torch.tensor(self.holes, device=kept.device), UNREACHABLE)


EVERY_TOKEN = DecodableTokens()


def decodable_tokens(tokenizer: Any, end_ids: Iterable[int], logits: int) -> DecodableTokens:
    """Of a network with so many logits; end tokens count too, as a response must be able to end."""
    known = _ids_of_tokenizer(tokenizer) | {token for token in end_ids if token < logits}
    width = min(max(known) + 1, logits)
    holes = tuple(token for token in range(width) if token not in known) if len(known) < width else ()
    return DecodableTokens(None if width == logits else width, holes)


def end_token_ids(configured: int | Sequence[int] | None, tokenizer: Any) -> frozenset[int]:
    """What ends a response: the eos_token_id of a generation config, one or several, and the tokenizer's."""
    listed = configured if isinstance(configured, Sequence) else [configured]
    return frozenset(int(i) for i in [*listed, tokenizer.eos_token_id] if i is not None)


@lru_cache(maxsize=8)
def _ids_of_tokenizer(tokenizer: Any) -> frozenset[int]:
    """The token ids that the tokenizer can decode."""
    return frozenset(tokenizer.get_vocab().values())
