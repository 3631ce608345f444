"""Stop strings: texts and special tokens that end a response.

Responses are read without their special tokens. So a stop that is one special token is an end token besides the
policy's own, and a stop that holds one among other text is looked for in the text with special tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from tvo_cli.data.special_tokens import special_tokens

REPLACEMENT = "\ufffd"  # what a part of a character decodes to


class StopStrings:
    """Tells which rows have just come to hold a stop string.

    The newest token must then bring the string's last character: only rows whose token can are decoded, and of
    those only a tail, as nothing before it is new. A character takes at most four byte-level tokens.
    """

    def __init__(self, tokenizer: Any, stop: Sequence[str], device: torch.device) -> None:
        self._tokenizer, self._stop = tokenizer, tuple(stop)
        self.end_ids = frozenset(stop_token_ids(tokenizer, self._stop))
        self._marked = stops_with_special_tokens(tokenizer, self._stop)
        self._reach = 4 * max(map(len, stop), default=0) + 4
        self._closing = None
        if stop:
            self._closing = tokens_ending_stop_strings(tokenizer, self._stop).to(device)

    def __call__(self, ids: Tensor, row: Tensor, end: Tensor) -> Tensor:
        """Bool [n]: whether response `row`, of which `end` tokens are there, has just come to hold one.

        ids [B, T]; row and end int64 [n].
        """
        found = torch.zeros(len(row), dtype=torch.bool, device=ids.device)
        if self._closing is None:
            return found
        newest = ids[row, end - 1]
        chosen = self._closing[newest.clamp(max=len(self._closing) - 1)].nonzero().flatten()
        tails = self._tails(ids[row[chosen]], end[chosen])
        held = [self._is_held(self._stop, tails, plain=True), self._is_held(self._marked, tails, plain=False)]
        found[chosen] = torch.tensor([any(both) for both in zip(*held, strict=True)], device=ids.device).bool()
        return found

    def _tails(self, ids: Tensor, end: Tensor) -> list[list[int]]:
        """The last tokens of each response, in which a stop can end."""
        found = zip(ids.tolist(), end.tolist(), strict=True)
        return [tokens[max(0, last - self._reach) : last] for tokens, last in found]

    def _is_held(self, stop: Sequence[str], tails: Sequence[list[int]], *, plain: bool) -> list[bool]:
        """Whether each row holds a stop, in its text without (plain) or with special tokens."""
        if not stop or not tails:
            return [False] * len(tails)
        texts = self._tokenizer.batch_decode(tails, skip_special_tokens=plain)
        return [any(one in text for one in stop) for text in texts]


def stop_token_ids(tokenizer: Any, stop: Sequence[str]) -> list[int]:
    """The ids of stops that are one special token each."""
    single = set(special_tokens(tokenizer))
    return [int(tokenizer.convert_tokens_to_ids(text)) for text in stop if text in single]


def stops_with_special_tokens(tokenizer: Any, stop: Sequence[str]) -> tuple[str, ...]:
    """The stops that hold a special token beside other text."""
    single = special_tokens(tokenizer)
    return tuple(text for text in stop if text not in single and any(token in text for token in single))


@lru_cache(maxsize=16)
def tokens_ending_stop_strings(tokenizer: Any, stop: tuple[str, ...]) -> Tensor:
    """Tokens whose text holds the last character of a stop string, or a part of a character, bool [V + 1].

    The last place is that of any id beyond the tokenizer, which has no text.
    """
    texts = [*tokenizer.batch_decode([[index] for index in range(1 + max(tokenizer.get_vocab().values()))]), ""]
    ends = {text[-1] for text in stop} | {REPLACEMENT}
    if any(end.isspace() and end != "\n" for end in ends):  # tokenizers drop a space at the start of a text
        return torch.ones(len(texts), dtype=torch.bool)
    return torch.tensor([not ends.isdisjoint(text) for text in texts])
