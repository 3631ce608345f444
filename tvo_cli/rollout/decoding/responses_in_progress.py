"""The responses of a rollout in progress, the report of each that is over, and the rollout that they become."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tvo_cli.model import Policy
from tvo_cli.rollout.decoding.token_sampling import SamplingParams
from tvo_cli.rollout.response_prefixes import ResponsePrefixes
from tvo_cli.types import Rollout

ReportFinished = Callable[[int, str, int, bool], object]  # row, text, tokens, ended by itself
ReportProgress = Callable[[int, int], object]  # responses that are over, of how many


@dataclass(slots=True)
class ResponseRows:
    """Responses in progress, on the device; the last column never holds a token."""

    ids: Tensor  # int64 [B, T + 1]
    logp: Tensor  # float32 [B, T + 1]
    mask: Tensor  # bool [B, T + 1]
    finished: Tensor  # bool [B]

    @classmethod
    def empty(cls, count: int, limit: int, pad_id: int, device: torch.device) -> ResponseRows:
        """No token yet."""
        return cls(
            ids=torch.full((count, limit + 1), pad_id, dtype=torch.int64, device=device),
            logp=torch.zeros(count, limit + 1, device=device),
            mask=torch.zeros(count, limit + 1, dtype=torch.bool, device=device),
            finished=torch.zeros(count, dtype=torch.bool, device=device),
        )

    def begin_with(self, prefixes: ResponsePrefixes, samples: int) -> None:
        """Give the `samples` responses to each prompt its prefix, before any token is sampled."""
        width = prefixes.ids.shape[1]
        mask = prefixes.mask.repeat_interleave(samples, 0)
        self.mask[:, :width] = mask
        self.ids[:, :width] = torch.where(mask, prefixes.ids.repeat_interleave(samples, 0), self.ids[:, :width])
        self.logp[:, :width] = torch.where(mask, prefixes.logp.repeat_interleave(samples, 0), 0.0)

    def lengths(self, rows: Sequence[int]) -> Tensor:
        """Tokens that rows have so far, int64 [k]."""
        return self.mask[torch.tensor(rows, device=self.mask.device)].sum(1)

    def to(self, device: torch.device) -> ResponseRows:
        """On another device."""
        columns = (self.ids, self.logp, self.mask, self.finished)
        return ResponseRows(*(column.to(device) for column in columns))

    def cut(self) -> ResponseRows:
        """Cut to the longest response."""
        longest = max(1, int(self.mask.sum(1).max()))
        return ResponseRows(self.ids[:, :longest], self.logp[:, :longest], self.mask[:, :longest], self.finished)


@dataclass(slots=True)
class FinishedReport:
    """Tells of each response once, as soon as it is over."""

    policy: Policy
    report: ReportFinished | None
    progress: ReportProgress | None
    told: set[int] = field(default_factory=set)

    def tell(self, responses: ResponseRows, over: Sequence[int]) -> None:
        """Report the rows of `over` that have not been reported."""
        new = sorted(set(over) - self.told)
        self.told.update(new)
        if self.report is not None and new:
            self._report(responses, new, self.report)
        if self.progress is not None and new:
            self.progress(len(self.told), len(responses.finished))

    def _report(self, responses: ResponseRows, rows: Sequence[int], report: ReportFinished) -> None:
        chosen = torch.tensor(rows, device=responses.ids.device)
        ids, mask = responses.ids[chosen].cpu(), responses.mask[chosen].cpu()
        kept = [one[held].tolist() for one, held in zip(ids, mask, strict=True)]
        texts = self.policy.tokenizer.batch_decode(kept, skip_special_tokens=True)
        ended = responses.finished[chosen].tolist()
        for row, tokens, text, by_itself in zip(rows, kept, texts, ended, strict=True):
            report(row, text, len(tokens), by_itself)


def rollout_from_rows(
    policy: Policy,
    prompt_ids: Tensor,
    prompt_mask: Tensor,
    rows: ResponseRows,
    sampling: SamplingParams,
    prefixes: ResponsePrefixes | None = None,
) -> Rollout:
    """A rollout of finished responses, decoded."""
    samples, device = sampling.samples, prompt_ids.device
    kept = [ids[mask].tolist() for ids, mask in zip(rows.ids.cpu(), rows.mask.cpu())]
    texts = policy.tokenizer.batch_decode(kept, skip_special_tokens=True)
    return Rollout(
        prompt_ids=prompt_ids.repeat_interleave(samples, 0),
        prompt_mask=prompt_mask.repeat_interleave(samples, 0),
        response_ids=rows.ids,
        mask=rows.mask,
        logp=rows.logp,
        finished=rows.finished,
        group=torch.arange(len(prompt_ids), device=device).repeat_interleave(samples),
        texts=tuple(texts),
        prefix=None if prefixes is None else prefixes.lengths.repeat_interleave(samples, 0),
    )
