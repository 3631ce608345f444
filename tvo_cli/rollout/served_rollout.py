"""A rollout from the responses of an engine that completes prompts of token ids, in whatever order they come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch

from tvo_cli.model import Policy
from tvo_cli.rollout.generation import rollout_from_rows
from tvo_cli.rollout.response_rows import ResponseRows
from tvo_cli.rollout.server_completion import ServedResponse, ServedTokens
from tvo_cli.rollout.token_sampling import SamplingParams
from tvo_cli.types import Rollout

Receive = Callable[[int, ServedResponse], object]  # row p·G + g, its response


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
    ) -> None:
        """`sampling.samples` responses to each prompt, a seed each; `receive` is given every one."""


def rollout_of_responses(
    policy: Policy,
    prompts: Sequence[str],
    sampling: SamplingParams,
    complete: Callable[[Sequence[Sequence[int]], Receive], object],
) -> Rollout:
    """`complete` is given the prompts' ids and gives `sampling.samples` responses to each; log π is the engine's."""
    ids, mask = policy.encode(prompts)
    asked = [row[seen].tolist() for row, seen in zip(ids.cpu(), mask.cpu())]
    count, host = len(asked) * sampling.samples, torch.device("cpu")
    rows = ResponseRows.empty(count, sampling.max_tokens, policy.pad_id, host)

    def receive(row: int, response: ServedResponse) -> None:
        length = len(response.ids)
        rows.ids[row, :length] = torch.tensor(response.ids)
        rows.logp[row, :length] = torch.tensor(response.logp)
        rows.mask[row, :length] = True
        rows.finished[row] = response.finished

    complete(asked, receive)
    return rollout_from_rows(policy, ids, mask, rows.cut().to(ids.device), sampling)
