"""The generation loop for any transformers causal LM: one prefill a prompt, finished rows dropped on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from tvo_cli.errors import UserError
from tvo_cli.memory.network_shape import shape_of_network
from tvo_cli.memory.rollout_cache import cache_bytes_per_token, rows_within_cache
from tvo_cli.model import Policy
from tvo_cli.model.cache_support import cache_argument
from tvo_cli.model.forward_inputs_and_outputs import (
    accepted_arguments,
    output_states,
    token_positions,
    trim_left_padding,
)
from tvo_cli.model.sequence_packing import ATTENTION
from tvo_cli.rollout.fused_decode import FusedDecoder, fused_decoder
from tvo_cli.rollout.kv_cache import (
    growing_cache,
    keeps_tokens,
    next_multiple,
    repeat_cache_rows,
    select_cache_rows,
)
from tvo_cli.rollout.stop_strings import StopStrings
from tvo_cli.rollout.token_sampling import SamplingParams, sample_token, uniform_numbers
from tvo_cli.types import Rollout

COMPACT_AT = 0.2  # share of finished rows from which it pays to drop them from the cache
ReportFinished = Callable[[int, str, int, bool], object]  # row, text, tokens, ended by itself
EVEN_ROWS = 8  # what is left is a multiple of it under oneDNN, which prepares itself anew for every new shape


@dataclass(slots=True)
class _ResponseRows:
    """Responses in progress, on the device, for one slice of prompts."""

    ids: Tensor  # int64 [n, T]
    logp: Tensor  # float32 [n, T]
    mask: Tensor  # bool [n, T]
    finished: Tensor  # bool [n]


@dataclass(slots=True)
class _FinishedReport:
    """Tells of each response once, as soon as it is over."""

    policy: Policy
    places: Tensor  # int64 [n], of the slice's responses in the rollout
    report: ReportFinished | None
    told: Tensor | None = None

    def tell(self, rows: _ResponseRows, *, over: bool) -> None:
        """Report the responses that have ended since, all of them where the slice is over."""
        if self.report is None:
            return
        told = torch.zeros_like(rows.finished) if self.told is None else self.told
        new = ~told if over else rows.finished & ~told
        self.told = told | new
        chosen = new.nonzero().flatten().tolist()
        kept = [rows.ids[row][rows.mask[row]].tolist() for row in chosen]
        texts = self.policy.tokenizer.batch_decode(kept, skip_special_tokens=True) if kept else []
        for row, ids, text in zip(chosen, kept, texts, strict=True):
            self.report(int(self.places[row]), text, len(ids), bool(rows.finished[row]))


@torch.no_grad()
def generate(
    policy: Policy,
    prompts: Sequence[str],
    keys: Sequence[str],
    sampling: SamplingParams,
    *,
    seed: int,
    progress: Callable[[int, int], object] | None = None,
    report: ReportFinished | None = None,
) -> Rollout:
    """`sampling.samples` responses to each prompt.

    The token of (key, sample, position) depends on (seed, key, sample, position) and the policy alone. `report` is
    called of each response as soon as it is over: its row in the rollout, text, tokens, whether it ended by itself.
    """
    policy.network.eval()  # a network that recomputes its layers keeps no cache in training mode
    prompt_ids, prompt_mask = policy.encode(prompts)
    _check_generation_fits_context(policy, prompt_ids.shape[1], sampling.max_tokens)
    sampling = _sampling_within_cache(policy, prompt_ids.shape[1], sampling)
    done: list[tuple[Tensor, _ResponseRows]] = []
    for places, numbers in _generation_slices(prompt_mask, keys, sampling, seed):
        prompt = places[:, 0] // sampling.samples
        ids, mask = trim_left_padding(prompt_ids[prompt], prompt_mask[prompt])
        with torch.inference_mode():  # cheaper than no_grad by what autograd notes of every view
            finished = _FinishedReport(policy, places.flatten(), report)
            rows = _decode_slice(policy, ids, mask, _uniforms_for_generation(numbers, ids.device), sampling, finished)
        done.append((places.flatten(), rows))
        if progress is not None:
            progress(sum(len(rows) for rows, _ in done), len(prompts) * sampling.samples)
    return _rollout_from_rows(policy, prompt_ids, prompt_mask, _join_generated_rows(done), sampling)


def _sampling_within_cache(policy: Policy, prompt: int, sampling: SamplingParams) -> SamplingParams:
    """As many rows at once as the cache's bytes allow at the longest prompt's length."""
    if not sampling.cache_bytes:
        return sampling
    autocast = torch.is_autocast_enabled(next(policy.parameters()).device.type)
    itemsize = 2 if autocast else next(policy.parameters()).element_size()
    each = cache_bytes_per_token(shape_of_network(policy.network), itemsize=itemsize, autocast=autocast)
    rows = rows_within_cache(sampling.batch_size, prompt + sampling.max_tokens, each, sampling.cache_bytes)
    return replace(sampling, batch_size=rows)


def _generation_slices(
    prompt_mask: Tensor, keys: Sequence[str], sampling: SamplingParams, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Work of at most `batch_size` rows: their places in the rollout [p, g], and their uniform numbers [p·g, T].

    Prompts of like length share a slice, so that slices carry little padding.
    """
    order = prompt_mask.sum(1).sort(stable=True).indices.cpu()
    width = min(sampling.samples, max(1, sampling.batch_size))
    height = max(1, sampling.batch_size // width)
    for start in range(0, len(order), height):
        chosen = order[start : start + height]
        for first in range(0, sampling.samples, width):
            drawn = range(first, min(first + width, sampling.samples))
            numbers = uniform_numbers(seed, [keys[i] for i in chosen.tolist()], drawn, sampling.max_tokens)
            yield chosen[:, None] * sampling.samples + torch.tensor(drawn), numbers


def _uniforms_for_generation(numbers: Tensor, device: torch.device) -> Tensor:
    """Uniform numbers on the device, in float64 where it has that (Apple's GPUs do not)."""
    return numbers.to(device, torch.float32 if device.type == "mps" else torch.float64)


def _decode_slice(
    policy: Policy,
    ids: Tensor,
    prompt_mask: Tensor,
    numbers: Tensor,
    sampling: SamplingParams,
    finished: _FinishedReport,
) -> _ResponseRows:
    """Decode one slice to its end: as many responses a prompt as there are `numbers` for it."""
    count, limit = numbers.shape
    rows = _empty_rows(count, limit, policy.pad_id, ids.device)
    stopped = StopStrings(policy.tokenizer, sampling.stop, ids.device)
    ends = torch.tensor(sorted(policy.end_ids | stopped.end_ids), device=ids.device)
    logits, state = _prefill_cache(policy, ids, prompt_mask, count // len(ids))
    seat = torch.arange(count, device=ids.device)  # which response each row of the cache is
    live = torch.ones(count, dtype=torch.bool, device=ids.device)
    every = _steps_between_finished_checks(ids.device)
    for t in range(limit):
        token, logp = sample_token(logits, numbers[seat, t], sampling)
        rows.ids[seat, t] = torch.where(live, token, policy.pad_id)
        rows.logp[seat, t], rows.mask[seat, t] = torch.where(live, logp, 0.0), live
        done = live & (torch.isin(token, ends) | stopped(rows.ids[seat, : t + 1]))
        rows.finished[seat] |= done
        live = live & ~done
        if t + 1 == limit:
            break
        share = float(live.float().mean()) if t % every == 0 else 1.0
        if t % every == 0:
            finished.tell(rows, over=False)
        if share == 0.0:
            break
        if share <= 1.0 - COMPACT_AT:
            kept = _rows_to_keep_generating(live, state.even_rows)
            if len(kept) < len(live):
                state.keep(kept)
                seat, token, live = seat[kept], token[kept], live[kept]
        logits = state.step(policy, token)
    finished.tell(rows, over=True)
    return rows


def _empty_rows(count: int, limit: int, pad_id: int, device: torch.device) -> _ResponseRows:
    return _ResponseRows(
        ids=torch.full((count, limit), pad_id, dtype=torch.int64, device=device),
        logp=torch.zeros(count, limit, device=device),
        mask=torch.zeros(count, limit, dtype=torch.bool, device=device),
        finished=torch.zeros(count, dtype=torch.bool, device=device),
    )


def _rows_to_keep_generating(live: Tensor, step: int) -> Tensor:
    """Row numbers of the living, and of as many others as make a multiple of `step`, in their order."""
    count = min(next_multiple(int(live.sum()), step), len(live))
    return live.int().sort(descending=True, stable=True).indices[:count].sort().values


def _steps_between_finished_checks(device: torch.device) -> int:
    """Tokens between two looks at how many rows live: on a GPU each look waits for all that it was given."""
    return 1 if device.type == "cpu" else 8


@dataclass(slots=True)
class _DecodingState:
    """The cache and what the next position is; rows in step with `alive`."""

    cache: DynamicCache
    position: Tensor  # int64 [n], of the next token
    attention: Tensor | None  # int64 [n, L]; None when nothing is padded
    even_rows: int  # rows are dropped down to a multiple of it
    fused_decoder: FusedDecoder | None  # the network for decoding, where its family is known

    def keep(self, rows: Tensor) -> None:
        """Drop all but these rows."""
        select_cache_rows(self.cache, rows)
        self.position = self.position[rows]
        self.attention = None if self.attention is None else self.attention[rows]

    def step(self, policy: Policy, token: Tensor) -> Tensor:
        """Feed one token a row; the next logits [n, V]."""
        if self.attention is not None:
            self.attention = torch.cat([self.attention, self.attention.new_ones(len(token), 1)], dim=1)
        position, self.position = self.position, self.position + 1
        if self.fused_decoder is not None:
            return self.fused_decoder.step(token, position, self.attention, self.cache)
        arguments: dict[str, Any] = {"use_cache": True, "position_ids": position[:, None]}
        if self.attention is not None:
            arguments["attention_mask"] = self.attention
        known = accepted_arguments(policy.network.forward, arguments)
        found = policy.network(input_ids=token[:, None], **cache_argument(policy.network, self.cache), **known)
        return policy.head.decodable.cut(found.logits[:, -1])


def _prefill_cache(policy: Policy, ids: Tensor, mask: Tensor, samples: int) -> tuple[Tensor, _DecodingState]:
    """Each prompt once; then its cache for each of its samples."""
    attention = None if bool(mask.all()) else mask.long()
    position = token_positions(mask)
    quick = policy.network.config._attn_implementation == ATTENTION
    cache = growing_cache(policy.network.config, evenly=quick)
    logits = _logits_after_prompts(policy, ids, attention, position, cache)
    repeat_cache_rows(cache, torch.arange(len(ids), device=ids.device), samples)
    repeated = None if attention is None or not keeps_tokens(cache) else attention.repeat_interleave(samples, 0)
    following = (position[:, -1] + 1).repeat_interleave(samples, 0)
    even_rows, known_family = (EVEN_ROWS, fused_decoder(policy)) if quick else (1, None)
    state = _DecodingState(cache, following, repeated, even_rows, known_family)
    return logits.repeat_interleave(samples, 0), state


def _logits_after_prompts(
    policy: Policy, ids: Tensor, attention: Tensor | None, position: Tensor, cache: DynamicCache
) -> Tensor:
    """Logits [n, V] after the last token of each prompt; the cache is filled.

    The head is given one row a prompt: of a slice of longer states PyTorch would copy a frozen head for each prompt.
    """
    network = policy.network.base_model if policy.head.split else policy.network
    arguments: dict[str, Any] = {"use_cache": True} | ({} if policy.head.split else {"logits_to_keep": 1})
    if attention is not None:
        arguments |= {"attention_mask": attention, "position_ids": position}
    known = accepted_arguments(network.forward, arguments)
    found = network(input_ids=ids, **cache_argument(network, cache), **known)
    return policy.head(output_states(found)[:, -1])


def _join_generated_rows(done: Sequence[tuple[Tensor, _ResponseRows]]) -> _ResponseRows:
    """Slices put back into the rollout's order, cut to the longest response."""
    row = torch.cat([places for places, _ in done]).argsort().to(done[0][1].ids.device)
    names = ("ids", "logp", "mask", "finished")
    whole = [torch.cat([getattr(rows, name) for _, rows in done])[row] for name in names]
    longest = max(1, int(whole[2].sum(1).max()))
    return _ResponseRows(*(x[:, :longest] if x.dim() == 2 else x for x in whole))


def _rollout_from_rows(
    policy: Policy, prompt_ids: Tensor, prompt_mask: Tensor, rows: _ResponseRows, sampling: SamplingParams
) -> Rollout:
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


def _check_generation_fits_context(policy: Policy, prompt: int, budget: int) -> None:
    limit = getattr(policy.network.config.get_text_config(), "max_position_embeddings", None)
    if limit is not None and prompt + budget > limit:
        raise UserError(
            "rollout.max_tokens",
            budget,
            f"the longest prompt has {prompt} tokens, so {prompt + budget} do not fit the model's {limit}.",
            f"Take at most {max(limit - prompt, 0)}.",
        )
