"""What shapings read of a batch: phases by a marker, prompts' log-probabilities, divergences inside groups."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tvo_cli.training.rollout_collection.shaping_inputs import (
    phases_of_responses,
    prompts_as_responses,
    warn_where_no_thinking_ends,
)
from tvo_cli.types import Rollout

WORDS = ["so", "<", "/t", ">", "4", "</", "t>", "."]


def rollout(rows: list[list[int]], prompts: list[list[int]]) -> Rollout:
    """Responses and prompts of these ids, padded with 0 on their sides; two responses a prompt."""
    width, wide = max(map(len, rows)), max(map(len, prompts))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    mask = torch.arange(width) < torch.tensor([[len(row)] for row in rows])
    shown = torch.tensor([[0] * (wide - len(one)) + one for one in prompts]).repeat_interleave(2, 0)
    seen = (torch.arange(wide) >= wide - torch.tensor([[len(one)] for one in prompts])).repeat_interleave(2, 0)
    group = torch.arange(len(prompts)).repeat_interleave(2)
    return Rollout(shown, seen, ids, mask, torch.zeros_like(ids).float(), mask[:, 0], group, ("",) * len(rows))


def decode(tokens: list[int], **_: Any) -> str:
    return "".join(WORDS[token] for token in tokens)


def test_the_marker_may_be_cut_anywhere_and_may_be_missing() -> None:
    """so so </t> 4: as three tokens, as two, and never; the last has it inside a longer token's neighbours."""
    rows = [[0, 0, 1, 2, 3, 4], [0, 5, 6, 4, 7], [0, 0, 1, 4], [5, 6, 5, 6]]
    found = phases_of_responses(rollout(rows, [[4], [4]]), SimpleNamespace(decode=decode), "</t>")
    expected = [[0, 0, 1, 1, 1, 2], [0, 1, 1, 2, 2, 2], [0, 0, 0, 0, 2, 2], [1, 1, 2, 2, 2, 2]]
    mask = torch.arange(6) < torch.tensor([[6], [5], [4], [4]])
    assert torch.equal(found[mask], torch.tensor(expected)[mask])


def test_a_marker_that_no_response_has_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """Padding behind a response counts as nothing."""
    for rows, said in (([[0, 0, 1, 4], [5, 0]], 1), ([[0, 0], [5, 6]], 0)):
        made = rollout(rows, [[4]])
        caplog.clear()
        phase = phases_of_responses(made, SimpleNamespace(decode=decode), "</t>")
        warn_where_no_thinking_ends(phase, made.mask, "</t>")
        assert caplog.text.count("algorithm.thinking_end=</t>: no response of the first batch has it") == said


def test_each_prompt_is_a_response_to_its_first_token() -> None:
    made = prompts_as_responses(rollout([[1], [2], [3], [4]], [[5, 6, 7], [8]]))
    assert made.prompt_ids.tolist() == [[5], [8]] and made.prompt_mask.all()
    assert made.mask.tolist() == [[True, True], [False, False]]
    assert made.response_ids[made.mask].tolist() == [6, 7]
