"""The generation loop for any transformers causal LM: one prefill a prompt, finished rows dropped on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.rollout.sampling import Sampling, draw, uniforms
from tvo_cli.types import Rollout

COMPACT_AT = 0.2  # share of finished rows from which it pays to drop them from the cache


@dataclass(slots=True)
class _Rows:
    """Responses under way, on the device, for one slice of prompts."""

    ids: Tensor  # int64 [n, T]
    logp: Tensor  # float32 [n, T]
    mask: Tensor  # bool [n, T]
    finished: Tensor  # bool [n]


@torch.no_grad()
def generate(
    policy: Policy,
    prompts: Sequence[str],
    keys: Sequence[str],
    sampling: Sampling,
    *,
    seed: int,
    progress: Callable[[int, int], object] | None = None,
) -> Rollout:
    """`sampling.samples` responses to each prompt.

    The token of (key, sample, position) depends on (seed, key, sample, position) and the policy alone.
    """
    device = next(policy.parameters()).device
    encoded = policy.tokenizer(list(prompts), padding=True, return_tensors="pt", padding_side="left").to(device)
    prompt_ids, prompt_mask = encoded["input_ids"], encoded["attention_mask"].bool()
    _check_context(policy, prompt_ids.shape[1], sampling.max_tokens)
    size = max(1, sampling.batch_rows // sampling.samples)
    order = _by_length(prompt_mask)
    slices: dict[int, _Rows] = {}
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        numbers = uniforms(seed, [keys[i] for i in chosen.tolist()], sampling.samples, sampling.max_tokens)
        ids, mask = _trimmed(prompt_ids[chosen], prompt_mask[chosen])
        slices[start] = _respond(policy, ids, mask, numbers.to(device), sampling)
        if progress is not None:
            progress(min(start + size, len(order)), len(order))
    rows = _in_order(list(slices.values()), order, sampling.samples)
    return _rollout(policy, prompt_ids, prompt_mask, rows, sampling)


def _by_length(prompt_mask: Tensor) -> Tensor:
    """Prompts of like length next to each other, so that slices carry little padding."""
    return prompt_mask.sum(1).sort(stable=True).indices.cpu()


def _trimmed(ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Without columns that are padding in every row (left padding)."""
    first = int(mask.any(0).float().argmax())
    return ids[:, first:], mask[:, first:]


def _respond(policy: Policy, ids: Tensor, prompt_mask: Tensor, numbers: Tensor, sampling: Sampling) -> _Rows:
    """Decode one slice to its end."""
    count, limit = len(ids) * sampling.samples, sampling.max_tokens
    rows = _Rows(
        ids=torch.full((count, limit), policy.pad_id, dtype=torch.int64, device=ids.device),
        logp=torch.zeros(count, limit, device=ids.device),
        mask=torch.zeros(count, limit, dtype=torch.bool, device=ids.device),
        finished=torch.zeros(count, dtype=torch.bool, device=ids.device),
    )
    ends = torch.tensor(sorted(policy.end_ids), device=ids.device)
    logits, state = _prefill(policy, ids, prompt_mask, sampling.samples)
    seat = torch.arange(count, device=ids.device)  # which response each row of the cache is
    live = torch.ones(count, dtype=torch.bool, device=ids.device)
    for t in range(limit):
        token, logp = draw(logits, numbers[seat, t], sampling)
        writing = seat[live]
        rows.ids[writing, t], rows.logp[writing, t], rows.mask[writing, t] = token[live], logp[live], True
        done = live & (torch.isin(token, ends) | _stopped(policy, rows.ids[seat, : t + 1], sampling.stop))
        rows.finished[seat[done]] = True
        live = live & ~done
        if t + 1 == limit or not bool(live.any()):
            break
        if float(live.float().mean()) <= 1.0 - COMPACT_AT:
            state.keep(live)
            seat, token, live = seat[live], token[live], live[live]
        logits = state.step(policy, token)
    return rows


@dataclass(slots=True)
class _State:
    """The cache and what the next position is; rows in step with `alive`."""

    cache: DynamicCache
    position: Tensor  # int64 [n], of the next token
    attention: Tensor | None  # int64 [n, L]; None when nothing is padded

    def keep(self, rows: Tensor) -> None:
        """Drop the other rows."""
        self.cache.batch_select_indices(rows.nonzero().flatten())
        self.position = self.position[rows]
        self.attention = None if self.attention is None else self.attention[rows]

    def step(self, policy: Policy, token: Tensor) -> Tensor:
        """Feed one token a row; the next logits [n, V]."""
        padded: dict[str, Any] = {}
        if self.attention is not None:
            self.attention = torch.cat([self.attention, self.attention.new_ones(len(token), 1)], dim=1)
            padded["attention_mask"] = self.attention
        found = policy.network(
            input_ids=token[:, None],
            position_ids=self.position[:, None],
            past_key_values=self.cache,
            use_cache=True,
            **padded,
        )
        self.position = self.position + 1
        logits: Tensor = found.logits[:, -1]
        return logits


def _prefill(policy: Policy, ids: Tensor, mask: Tensor, samples: int) -> tuple[Tensor, _State]:
    """Each prompt once; then its cache for each of its samples."""
    attention = None if bool(mask.all()) else mask.long()
    positions = (mask.long().cumsum(1) - 1).clamp(min=0)
    cache = DynamicCache(config=policy.network.config)
    found = policy.network(
        input_ids=ids,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
        **({} if attention is None else {"attention_mask": attention}),
    )
    cache.batch_repeat_interleave(samples)
    repeated = None if attention is None else attention.repeat_interleave(samples, 0)
    position = (positions[:, -1] + 1).repeat_interleave(samples, 0)
    return found.logits[:, -1].repeat_interleave(samples, 0), _State(cache, position, repeated)


def _stopped(policy: Policy, ids: Tensor, stop: Sequence[str]) -> Tensor:
    """Rows whose text ends a stop string, [n]."""
    if not stop:
        return torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    tail = policy.tokenizer.batch_decode(ids[:, -16:], skip_special_tokens=True)
    return torch.tensor([any(s in text for s in stop) for text in tail], device=ids.device)


def _in_order(slices: Sequence[_Rows], order: Tensor, samples: int) -> _Rows:
    """Slices put back into the order of the prompts, cut to the longest response."""
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    row = (place[:, None] * samples + torch.arange(samples)).flatten()
    whole = [torch.cat([getattr(s, name) for s in slices])[row] for name in ("ids", "logp", "mask", "finished")]
    longest = max(1, int(whole[2].sum(1).max()))
    return _Rows(*(x[:, :longest] if x.dim() == 2 else x for x in whole))


def _rollout(policy: Policy, prompt_ids: Tensor, prompt_mask: Tensor, rows: _Rows, sampling: Sampling) -> Rollout:
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
    )


def _check_context(policy: Policy, prompt: int, budget: int) -> None:
    limit = getattr(policy.network.config.get_text_config(), "max_position_embeddings", None)
    if limit is not None and prompt + budget > limit:
        raise UserError(
            "rollout.max_tokens",
            budget,
            f"the longest prompt has {prompt} tokens, so {prompt + budget} do not fit the model's {limit}.",
            f"Take at most {max(limit - prompt, 0)}.",
        )
