"""Response prefixes: the first tokens of responses that are sampled from there on, and not from their prompts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tvo_cli.types import Rollout


@dataclass(frozen=True, slots=True)
class ResponsePrefixes:
    """A prefix a prompt, right-padded; one without a token is no prefix."""

    ids: Tensor  # int64 [P, S]
    mask: Tensor  # bool [P, S]
    logp: Tensor  # float32 [P, S], log π of each token as it was sampled; 0 on padding

    @classmethod
    def of(cls, rollout: Rollout, rows: Sequence[int], lengths: Sequence[int]) -> ResponsePrefixes:
        """The first `lengths[i]` tokens of response `rows[i]`."""
        device, width = rollout.mask.device, max(lengths)
        chosen, counts = torch.tensor(rows, device=device), torch.tensor(lengths, device=device)
        mask = torch.arange(width, device=device) < counts[:, None]
        ids, logp = rollout.response_ids[chosen, :width], rollout.logp[chosen, :width]
        return cls(torch.where(mask, ids, 0), mask, torch.where(mask, logp, 0.0))

    def to(self, device: torch.device) -> ResponsePrefixes:
        """On another device."""
        return ResponsePrefixes(self.ids.to(device), self.mask.to(device), self.logp.to(device))

    @property
    def lengths(self) -> Tensor:
        """Tokens of each, int64 [P]."""
        return self.mask.sum(1)

    def behind(self, prompt_ids: Tensor, prompt_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Each prompt with its prefix behind it, as the network reads them: ids and mask [P, L'], left-padded."""
        ids, mask = torch.cat([prompt_ids, self.ids], 1), torch.cat([prompt_mask, self.mask], 1)
        order = mask.sort(dim=1, stable=True).indices
        return ids.gather(1, order), mask.gather(1, order)

    def check(self, ends: Collection[int], budget: int) -> None:
        """Refuse a prefix behind which nothing can be sampled.

        Raises:
            ValueError: one is as long as a response may be, or its response is over.
        """
        if self.mask.numel() == 0:
            return
        longest = int(self.lengths.max())
        if longest >= budget:
            raise ValueError(f"a prefix of {longest} tokens leaves none of a response of at most {budget}")
        over = torch.isin(self.ids, torch.tensor(sorted(ends), device=self.ids.device)) & self.mask
        if bool(over.any()):
            raise ValueError(f"the prefix of prompt {int(over.any(1).nonzero()[0])} holds an end token")
