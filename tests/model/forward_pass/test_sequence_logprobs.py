"""log π of learned tokens: against the whole logits of each row alone, padded and packed, holes included."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import log_softmax

from tvo_cli.model import Policy, load_policy
from tvo_cli.model.forward_pass import sequence_packing
from tvo_cli.model.forward_pass.sequence_logprobs import TokenSequences, can_pack_sequences, learned_logprobs
from tvo_cli.rollout.decoding.onednn import packed_attention

LENGTHS = (9, 3, 14, 2, 9)


@pytest.fixture(scope="module")
def policy() -> Policy:
    node = {"path": "fresh", "revision": None, "dtype": "float32", "attention": "sdpa", "gradient_checkpointing": False}
    return load_policy(node, device="cpu")


@pytest.fixture
def rows(policy: Policy) -> list[tuple[list[int], list[bool]]]:
    rng = torch.Generator().manual_seed(0)
    ids = [torch.randint(4, 40, (length,), generator=rng).tolist() for length in LENGTHS]
    return [(one, [n > 0 and n % 3 != 1 for n in range(len(one) - 1)] + [True]) for one in ids]


def by_hand(policy: Policy, rows: list[tuple[list[int], list[bool]]]) -> torch.Tensor:
    """Each row alone, by the whole network, one token after the other."""
    found = []
    for ids, learned in rows:
        logp = log_softmax(policy.network(torch.tensor([ids])).logits[0].double(), dim=-1)
        found += [logp[n - 1, ids[n]] for n in range(1, len(ids)) if learned[n]]
    return torch.stack(found)


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_each_row_is_scored_as_if_it_were_alone(
    policy: Policy, rows: list[tuple[list[int], list[bool]]], packed: bool
) -> None:
    sequences = TokenSequences.of(rows, policy.pad_id, torch.device("cpu"))
    with packed_attention(policy.network):
        assert can_pack_sequences(policy, max(LENGTHS))
        found = learned_logprobs(policy, sequences, packed=packed)
        found.sum().backward()
    gradient = [p.grad.clone() for p in policy.parameters() if p.grad is not None]
    policy.network.zero_grad()
    wanted = by_hand(policy, rows)
    wanted.sum().backward()
    torch.testing.assert_close(found.double(), wanted, rtol=2e-5, atol=2e-5)
    for mine, parameter in zip(gradient, (p for p in policy.parameters() if p.grad is not None), strict=True):
        torch.testing.assert_close(mine, parameter.grad, rtol=2e-3, atol=2e-4)
    policy.network.zero_grad()


def test_packed_rows_do_not_see_each_other(policy: Policy, rows: list[tuple[list[int], list[bool]]]) -> None:
    other = [(ids if n else [5] * len(ids), learned) for n, (ids, learned) in enumerate(rows)]
    with packed_attention(policy.network), torch.no_grad():
        one, two = (
            learned_logprobs(policy, TokenSequences.of(each, policy.pad_id, torch.device("cpu")), packed=True)
            for each in (rows, other)
        )
    own = sum(rows[0][1])
    assert not torch.allclose(one[:own], two[:own]) and torch.equal(one[own:], two[own:])


def test_padding_does_not_count(policy: Policy, rows: list[tuple[list[int], list[bool]]]) -> None:
    found = TokenSequences.of(rows, policy.pad_id, torch.device("cpu"))
    assert found.ids.shape == (5, 14) and found.lengths.tolist() == list(LENGTHS)
    assert int(found.learned.sum()) == sum(sum(learned) for _, learned in rows)
    assert not found.learned[1, 3:].any()


def test_where_our_attention_is_off_nothing_is_packed(policy: Policy) -> None:
    assert not can_pack_sequences(policy, 8)
    sequence_packing._checked.clear()
