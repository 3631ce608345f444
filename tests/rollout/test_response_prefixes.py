"""Responses that go on from a prefix: the same tokens where it is their own, the same law where it is another's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from tests.rollout.conftest import KEYS, PROMPTS, SAMPLING
from tests.rollout.families import policy_of
from tvo_cli.model import Policy
from tvo_cli.rollout import generate
from tvo_cli.rollout.response_prefixes import ResponsePrefixes
from tvo_cli.rollout.rollout_slices import join_rollouts, select_prompts
from tvo_cli.types import Rollout

ONE = replace(SAMPLING, samples=1, max_tokens=20)
TWO_PROMPTS = ("1 + 1 =", "7 + 3 * 12 - 4 * 2 + 9 =")


def halves(rollout: Rollout) -> list[int]:
    """Half of each response, so that of every length some is left."""
    return [length // 2 for length in rollout.mask.sum(1).tolist()]


def continued(policy: Policy, whole: Rollout, lengths: list[int], sampling: object = ONE, seed: int = 0) -> Rollout:
    prefixes = ResponsePrefixes.of(whole, range(len(lengths)), lengths)
    return generate(policy, PROMPTS, KEYS, sampling, seed=seed, prefixes=prefixes)  # type: ignore[arg-type]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("lengths", [halves, lambda whole: [0, 1, 3, 2]], ids=["halves", "some none"])
def test_a_response_goes_on_behind_its_own_prefix_as_it_did(
    policy: Policy, temperature: float, lengths: Callable[[Rollout], list[int]]
) -> None:
    """Greedy, and with the numbers of its own key, sample and positions: the same tokens and log-probabilities."""
    sampling = replace(ONE, temperature=temperature)
    whole = generate(policy, PROMPTS, KEYS, sampling, seed=4)
    found = continued(policy, whole, lengths(whole), sampling, seed=4)
    assert torch.equal(found.response_ids, whole.response_ids) and torch.equal(found.mask, whole.mask)
    assert found.texts == whole.texts and torch.equal(found.finished, whole.finished)
    torch.testing.assert_close(found.logp, whole.logp, rtol=0, atol=1e-5)
    assert torch.equal(found.prompt_ids, whole.prompt_ids), "a prefix is part of the response, not of the prompt"


def test_a_row_knows_which_tokens_it_took_over_and_those_keep_their_log_probability(policy: Policy) -> None:
    whole = generate(policy, PROMPTS, KEYS, ONE, seed=4)
    marked = replace(whole, logp=whole.logp - 5.0)
    found = continued(policy, marked, [0, 2, 1, 3], seed=9)
    assert found.prefix is not None and found.prefix.tolist() == [0, 2, 1, 3]
    for row, length in enumerate([0, 2, 1, 3]):
        assert torch.equal(found.response_ids[row, :length], whole.response_ids[row, :length])
        assert torch.equal(found.logp[row, :length], marked.logp[row, :length])
        end, width = int(found.mask[row].sum()), found.mask.shape[1]
        assert found.sampled[row].tolist() == [length <= t < end for t in range(width)]
    assert torch.equal(whole.sampled, whole.mask)


def test_log_probabilities_behind_a_prefix_are_those_of_the_whole_response(policy: Policy) -> None:
    found = continued(policy, generate(policy, PROMPTS, KEYS, ONE, seed=4), [3, 2, 1, 3], seed=9)
    columns = (found.prompt_ids, found.prompt_mask, found.response_ids, found.mask)
    with torch.no_grad():
        exact = policy.score(*columns, temperature=1.0).logp
    torch.testing.assert_close(found.logp, exact, rtol=0, atol=2e-5)


def test_the_budget_is_that_of_the_whole_response(policy: Policy) -> None:
    endless = Policy(policy.network, policy.tokenizer, frozenset(), policy.pad_id)
    whole = generate(endless, PROMPTS, KEYS, ONE, seed=4)
    found = continued(endless, whole, [19, 0, 7, 12], seed=1)
    assert found.mask.sum(1).tolist() == [20] * 4 and not found.finished.any()


@pytest.mark.parametrize("length", [20, 21])
def test_a_prefix_that_leaves_nothing_to_sample_is_refused(policy: Policy, length: int) -> None:
    ids = torch.full((4, length), 5)
    prefixes = ResponsePrefixes(ids, torch.ones_like(ids).bool(), torch.zeros(4, length))
    with pytest.raises(ValueError, match=f"a prefix of {length} tokens leaves none of a response of at most 20"):
        generate(policy, PROMPTS, KEYS, ONE, seed=0, prefixes=prefixes)


def test_a_prefix_of_a_response_that_is_over_is_refused(policy: Policy) -> None:
    ids = torch.tensor([[5, 6], [5, min(policy.end_ids)], [5, 6], [5, 6]])
    prefixes = ResponsePrefixes(ids, torch.ones_like(ids).bool(), torch.zeros(4, 2))
    with pytest.raises(ValueError, match="the prefix of prompt 1 holds an end token"):
        generate(policy, PROMPTS, KEYS, ONE, seed=0, prefixes=prefixes)


@pytest.mark.parametrize(
    "name", [*(pytest.param(n, marks=pytest.mark.slow) for n in ("llama", "qwen2", "gemma3", "mamba"))]
)
def test_batching_cannot_be_seen(policy: Policy, at_once: Callable[[bool], None], name: str) -> None:
    """Prefixes of every length, in slots that are given away while others run."""
    small = policy_of(policy, name)
    sampling = replace(SAMPLING, samples=3, max_tokens=20)
    whole = generate(small, PROMPTS, KEYS, replace(sampling, samples=1), seed=4)
    prefixes = ResponsePrefixes.of(whole, range(4), halves(whole))
    expected = generate(small, PROMPTS, KEYS, sampling, seed=7, prefixes=prefixes)
    at_once(True)
    found = generate(small, PROMPTS, KEYS, replace(sampling, batch_size=5), seed=7, prefixes=prefixes)
    assert torch.equal(found.response_ids, expected.response_ids) and torch.equal(found.mask, expected.mask)
    torch.testing.assert_close(found.logp, expected.logp, rtol=0, atol=2e-5)


@pytest.mark.slow
def test_the_next_token_behind_a_prefix_has_the_policys_own_distribution(policy: Policy) -> None:
    """2000 responses that go on behind two tokens of another: χ² against π(· | x, y_<2), far within its spread."""
    other = generate(policy, TWO_PROMPTS, ("a", "b"), replace(ONE, max_tokens=8), seed=4)
    many = replace(SAMPLING, samples=1000, max_tokens=3, batch_size=2000)
    prefixes = ResponsePrefixes.of(other, [0, 1], [2, 2])
    found = generate(policy, TWO_PROMPTS, ("c", "d"), many, seed=5, prefixes=prefixes)
    for p in range(2):
        ids = torch.cat([other.prompt_ids[p][other.prompt_mask[p]], other.response_ids[p, :2]])[None]
        with torch.no_grad():
            pi = policy.network(input_ids=ids).logits[0, -1].softmax(-1)
        pi = policy.head.decodable.cut(pi[None])[0]
        expected = 1000 * pi / pi.sum()
        counts = torch.bincount(found.response_ids[found.group == p, 2], minlength=len(pi)).float()
        common = expected > 5
        statistic = float(((counts - expected).square() / expected)[common].sum())
        count = int(common.sum())
        assert count > 3 and statistic < count + 3.1 * (2 * count) ** 0.5 + 5, (statistic, count)


def test_rollouts_with_and_without_prefixes_join_and_are_taken_apart(policy: Policy) -> None:
    whole = generate(policy, PROMPTS, KEYS, ONE, seed=4)
    joined = join_rollouts([whole, continued(policy, whole, [0, 2, 1, 3], seed=9)], policy.pad_id)
    assert joined.prefix is not None and joined.prefix.tolist() == [0, 0, 0, 0, 0, 2, 1, 3]
    chosen = select_prompts(joined, [7, 1])
    assert chosen.prefix is not None and chosen.prefix.tolist() == [3, 0] and chosen.group.tolist() == [0, 1]
    assert join_rollouts([whole, whole], policy.pad_id).prefix is None
