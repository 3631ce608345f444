"""A rollout from the responses of an engine that completes prompts of token ids, in whatever order they come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch

from tvo_cli.model import Policy
from tvo_cli.rollout.decoding.responses_in_progress import ResponseRows, rollout_from_rows
from tvo_cli.rollout.decoding.token_sampling import SamplingParams
from tvo_cli.rollout.response_prefixes import ResponsePrefixes
from tvo_cli.rollout.server_completion import ServedResponse, ServedTokens
from tvo_cli.types import Rollout

Receive = Callable[[int, ServedResponse], object]  # row p·G + g, its response
Complete = Callable[[Sequence[Sequence[int]], Sequence[int], Receive], object]


class Completer(Protocol):
    """Completes prompts of token ids."""

    def complete(
        self,
        prompts: Sequence[Sequence[int]],
        keys: Sequence[str],
        sampling: SamplingParams,
        seed: int,
        tokens: ServedTokens,
        receive: Receive,
        about: str = "",
        taken: Sequence[int] = (),
    ) -> None:
        """`sampling.samples` responses to each prompt, a seed each; `receive` is given every one.

        `taken`: the tokens of each response's budget that its prompt holds already; none where it is empty.
        """


def rollout_of_responses(
    policy: Policy,
    prompts: Sequence[str],
    sampling: SamplingParams,
    complete: Complete,
    prefixes: ResponsePrefixes | None = None,
) -> Rollout:
    """`complete` is given the prompts' ids and gives `sampling.samples` responses to each; log π is the engine's.

    A prefix is given as the end of its prompt, and with each prompt the tokens of a response's budget that it holds.
    """
    ids, mask = policy.encode(prompts)
    count, host = len(prompts) * sampling.samples, torch.device("cpu")
    rows = ResponseRows.empty(count, sampling.max_tokens, policy.pad_id, host)
    read, taken = (ids, mask), [0] * len(prompts)
    if prefixes is not None:
        prefixes.check(policy.end_ids, sampling.max_tokens)
        rows.begin_with(prefixes.to(host), sampling.samples)
        read, taken = prefixes.behind(ids, mask), prefixes.lengths.tolist()
    asked = [row[seen].tolist() for row, seen in zip(*(column.cpu() for column in read))]
    complete(asked, taken, _receiver(rows))
    return rollout_from_rows(policy, ids, mask, rows.cut().to(ids.device), sampling, prefixes)


def _receiver(rows: ResponseRows) -> Receive:
    """What puts each response into its row, behind its prefix."""
    begins = rows.mask.sum(1).tolist()

    def receive(row: int, response: ServedResponse) -> None:
        place = slice(begins[row], begins[row] + len(response.ids))
        rows.ids[row, place] = torch.tensor(response.ids)
        rows.logp[row, place] = torch.tensor(response.logp)
        rows.mask[row, place] = True
        rows.finished[row] = response.finished

    return receive
