"""Rollouts cut and joined: every response keeps its prompt, its tokens and its log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tests.rollout.conftest import KEYS, PROMPTS
from tvo_cli.model import Policy
from tvo_cli.rollout import SamplingParams, generate, join_rollouts, select_prompts
from tvo_cli.types import Rollout


def drawn(policy: Policy, chosen: Sequence[int], limit: int, seed: int = 0) -> Rollout:
    prompts, keys = [PROMPTS[i] for i in chosen], [KEYS[i] for i in chosen]
    return generate(policy, prompts, keys, SamplingParams(samples=2, max_tokens=limit), seed=seed)


def content(rollout: Rollout) -> list[tuple[object, ...]]:
    """Prompt, response and log-probabilities of each row, without any padding."""
    return [
        (
            rollout.prompt_ids[row][rollout.prompt_mask[row]].tolist(),
            rollout.response_ids[row][rollout.mask[row]].tolist(),
            rollout.logp[row][rollout.mask[row]].tolist(),
            bool(rollout.finished[row]),
            rollout.texts[row],
        )
        for row in range(len(rollout.mask))
    ]


def test_a_selection_is_in_the_order_asked_for_and_numbered_anew(policy: Policy) -> None:
    whole = drawn(policy, [0, 1, 2, 3], 6)
    part = select_prompts(whole, [3, 1])
    assert part.group.tolist() == [0, 0, 1, 1]
    assert content(part) == [content(whole)[row] for row in (6, 7, 2, 3)]


def test_joined_rollouts_of_other_widths_say_the_same(policy: Policy) -> None:
    """The first has short prompts and long responses, the second the reverse."""
    first, second = drawn(policy, [2, 0], 9), drawn(policy, [3], 2)
    both = join_rollouts([first, second], policy.pad_id)
    assert content(both) == content(first) + content(second)
    assert both.group.tolist() == [0, 0, 1, 1, 2, 2]
    assert first.prompt_ids.shape[1] < both.prompt_ids.shape[1] == second.prompt_ids.shape[1]
    assert second.mask.shape[1] < both.mask.shape[1] == first.mask.shape[1]


def test_the_policy_scores_joined_rollouts_as_the_sampler_did(policy: Policy) -> None:
    both = join_rollouts([drawn(policy, [2, 0], 9), drawn(policy, [3], 2)], policy.pad_id)
    scores = policy.score(both.prompt_ids, both.prompt_mask, both.response_ids, both.mask, 1.0)
    torch.testing.assert_close(scores.logp.detach()[both.mask], both.logp[both.mask], rtol=0, atol=2e-5)
    assert (both.logp[~both.mask] == 0).all() and (both.response_ids[~both.mask] == policy.pad_id).all()
