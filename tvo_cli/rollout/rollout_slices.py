"""Slices of rollouts by prompt, and rollouts joined: what dynamic sampling needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from tvo_cli.types import Rollout


def select_prompts(rollout: Rollout, prompts: Sequence[int]) -> Rollout:
    """A slice of a rollout: the responses to some prompts, in the order given and numbered anew from 0."""
    found = [torch.nonzero(rollout.group == p).flatten() for p in prompts]
    rows = torch.cat([rollout.group.new_empty(0), *found])
    counts = torch.tensor([len(part) for part in found], dtype=torch.int64, device=rows.device)
    return replace(
        select_rows(rollout, rows), group=torch.arange(len(found), device=rows.device).repeat_interleave(counts)
    )


def select_rows(rollout: Rollout, rows: Tensor) -> Rollout:
    """A slice of a rollout: some responses, int64 [k], in the order given, to the prompts that they answered."""
    names = ("prompt_ids", "prompt_mask", "response_ids", "mask", "logp", "finished", "group", "prefix")
    columns = {name: getattr(rollout, name) for name in names if getattr(rollout, name) is not None}
    texts = tuple(rollout.texts[row] for row in rows.tolist())
    return Rollout(**{name: column[rows] for name, column in columns.items()}, texts=texts)


def join_rollouts(rollouts: Sequence[Rollout], pad_id: int) -> Rollout:
    """One rollout of all rows, padded to the longest: prompts on the left, responses on the right."""
    prompt = max(rollout.prompt_mask.shape[1] for rollout in rollouts)
    response = max(rollout.mask.shape[1] for rollout in rollouts)
    padded = [_pad_rollout(rollout, prompt, response, pad_id) for rollout in rollouts]
    first = [int(rollout.group.max()) + 1 for rollout in rollouts]
    groups = [rollout.group + sum(first[:number]) for number, rollout in enumerate(rollouts)]
    names = ("prompt_ids", "prompt_mask", "response_ids", "mask", "logp", "finished")
    columns = {name: torch.cat([getattr(rollout, name) for rollout in padded]) for name in names}
    if any(rollout.prefix is not None for rollout in rollouts):
        columns["prefix"] = torch.cat([_prefix_lengths(rollout) for rollout in rollouts])
    return Rollout(**columns, group=torch.cat(groups), texts=tuple(text for part in rollouts for text in part.texts))


def _prefix_lengths(rollout: Rollout) -> Tensor:
    """The prefix lengths of the rollouts that are joined; 0 for responses without a prefix."""
    return torch.zeros_like(rollout.group) if rollout.prefix is None else rollout.prefix


def _pad_rollout(rollout: Rollout, prompt: int, response: int, pad_id: int) -> Rollout:
    """Pad a rollout to the widths of the joined one: prompts on the left, responses on the right."""
    left, right = prompt - rollout.prompt_mask.shape[1], response - rollout.mask.shape[1]

    def pad(x: Tensor, value: float) -> Tensor:
        return torch.nn.functional.pad(x, (0, right), value=value)

    return replace(
        rollout,
        prompt_ids=torch.nn.functional.pad(rollout.prompt_ids, (left, 0), value=pad_id),
        prompt_mask=torch.nn.functional.pad(rollout.prompt_mask, (left, 0), value=False),
        response_ids=pad(rollout.response_ids, pad_id),
        mask=pad(rollout.mask, False),
        logp=pad(rollout.logp, 0.0),
    )
