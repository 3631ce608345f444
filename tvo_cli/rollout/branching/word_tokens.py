"""Word tokens, the only ones before which a response may branch: none is special, none shorter than the rule wants."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from tvo_cli.types import Rollout

log = logging.getLogger("tvo")


def word_tokens(rollout: Rollout, tokenizer: Any, shortest: int) -> Tensor:
    """Tokens that are not special and have at least so many characters, blanks aside, bool [B, T]; 0: every token."""
    mask = rollout.mask.cpu()
    if shortest == 0:
        return mask
    words = words_of_vocabulary(tokenizer, shortest)
    found = mask & words[rollout.response_ids.cpu().clamp(max=len(words) - 1)]
    if not bool(found[:, 1:].any()):
        _warn_once_that_no_token_is_a_word(shortest)
    return found


@lru_cache(maxsize=4)
def words_of_vocabulary(tokenizer: Any, shortest: int) -> Tensor:
    """Tokens that are not special and whose text has so many characters without the blanks around it, bool [V + 1].

    The last place is that of any id beyond the tokenizer, which has no text.
    """
    count = 1 + max(tokenizer.get_vocab().values())
    texts = tokenizer.batch_decode([[index] for index in range(count)])
    found = torch.tensor([*(len(text.strip()) >= shortest for text in texts), False])
    found[list(tokenizer.all_special_ids)] = False
    return found


@lru_cache(maxsize=1)
def _warn_once_that_no_token_is_a_word(shortest: int) -> None:
    """Say that branched responses are sampled anew from the prompt, for no token can be cut before."""
    log.warning(
        "no token of the responses has %d characters: they are sampled anew from the prompt where they should branch; "
        "algorithm.branching.shortest=1 lets every token but special ones be cut before",
        shortest,
    )
