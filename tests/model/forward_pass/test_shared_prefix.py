"""A prompt forwarded once for its group, and responses in slices of like length, against every row by itself."""

from __future__ import annotations

import pytest
import torch
from transformers import AttentionInterface

from tests.model.conftest import architectures, batch, both
from tvo_cli.model.forward_pass import packed_layout, sequence_packing, shared_prefix
from tvo_cli.model.forward_pass.gradient_checkpointing import enable_gradient_checkpointing
from tvo_cli.model.forward_pass.hidden_states import predicting_states
from tvo_cli.model.forward_pass.shared_prefix import PrefixSplit
from tvo_cli.rollout.decoding import onednn
from tvo_cli.rollout.decoding.onednn import onednn_matmul

SHARING = ("qwen2", "cohere", "granite", "gpt2")


@pytest.mark.parametrize("name", SHARING)
@pytest.mark.parametrize("whole", [False, True], ids=["backbone", "logits"])
def test_sharing_changes_neither_states_nor_gradients(
    name: str, whole: bool, sharing_always: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    network = architectures()[name]().double().eval()
    columns = batch()
    body = network if whole else network.base_model
    assert shared_prefix.is_worth_sharing(body, columns[0], columns[1], columns[3])
    shared, plain = both(body, network, columns, monkeypatch)
    assert len(shared) == len(plain)
    for mine, theirs in zip(shared, plain, strict=True):  # norms of some architectures work in float32
        torch.testing.assert_close(mine, theirs, rtol=0, atol=2e-6 * float(theirs.abs().max() + 1e-6))


@pytest.mark.parametrize("name", ["qwen2", "cohere", "granite", "gpt2"])
@pytest.mark.parametrize("whole", [False, True], ids=["backbone", "logits"])
def test_packing_changes_neither_states_nor_gradients(
    name: str, whole: bool, sharing_always: None, quick_anywhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    network = architectures()[name]().double().eval()
    body = network if whole else network.base_model
    assert not sequence_packing.supports_packing(body), "transformers' own attention does not know of pieces"
    with onednn_matmul(network):
        assert sequence_packing.supports_packing(body)
        mine, theirs = both(body, network, batch(), monkeypatch)
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=2e-6 * float(other.abs().max() + 1e-6))


def test_an_attention_that_is_told_but_does_not_heed_is_found_out(
    quick_anywhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = architectures()["qwen2"]().eval()
    monkeypatch.setattr(
        packed_layout.MaskedLayout,
        "attend",
        lambda pieces, query, key, value, scaling, attention: query.mT.mT.transpose(1, 2),
    )
    with onednn_matmul(network) as on:
        assert on and not sequence_packing.supports_packing(network.base_model)


@pytest.mark.parametrize("keywords", [{"softcap": 50.0}, {"dropout": 0.1}, {"is_causal": False}], ids=str)
def test_an_attention_of_another_kind_is_not_packed(
    quick_anywhere: None, monkeypatch: pytest.MonkeyPatch, keywords: dict[str, float]
) -> None:
    """A soft cap far above a fresh network's logits changes nothing that a comparison of outputs could see."""
    network, attention = architectures()["qwen2"]().eval(), onednn._attention_forward
    monkeypatch.setattr(onednn, "_attention_forward", lambda *given, **known: attention(*given, **(known | keywords)))
    AttentionInterface.register(sequence_packing.ATTENTION, onednn._attention_forward)
    try:
        with onednn_matmul(network) as on:
            assert on and not sequence_packing.supports_packing(network.base_model)
    finally:
        AttentionInterface.register(sequence_packing.ATTENTION, attention)


@pytest.mark.parametrize(("longest", "used"), [(16, False), (17, True)])
def test_responses_are_packed_while_the_weights_of_their_attention_are_small(
    sharing_always: None, quick_anywhere: None, monkeypatch: pytest.MonkeyPatch, longest: int, used: bool
) -> None:
    """Five tokens of prompt and twelve of response."""
    network, called = architectures()["qwen2"]().eval(), []
    monkeypatch.setattr(sequence_packing, "LONGEST", longest)
    with onednn_matmul(network):
        assert sequence_packing.supports_packing(network.base_model)
        real = sequence_packing.packed_predicting_states
        monkeypatch.setattr(
            sequence_packing, "packed_predicting_states", lambda *given: (called.append(1), real(*given))[1]
        )
        predicting_states(network.base_model, *batch())
    assert bool(called) is used


def test_what_cannot_be_shared_is_not(sharing_always: None) -> None:
    made = architectures()
    ids, seen, _, mask = batch()
    assert not shared_prefix.is_worth_sharing(made["gemma2"]().base_model, ids, seen, mask), (
        "sliding windows cut the prompt's keys"
    )
    network = made["qwen2"]()
    holes = mask.clone()
    holes[0, 3] = False
    assert not shared_prefix.is_worth_sharing(network.base_model, ids, seen, holes)
    enable_gradient_checkpointing(network)
    assert not shared_prefix.is_worth_sharing(network.base_model, ids, seen, mask), "recomputed layers keep no cache"
    with torch.no_grad():
        assert shared_prefix.is_worth_sharing(network.base_model, ids, seen, mask), "then none is recomputed"


def test_little_work_is_not_shared() -> None:
    network = architectures()["qwen2"]()
    ids, seen, _, mask = batch()
    assert not shared_prefix.is_worth_sharing(network.base_model, ids, seen, mask)


def test_rows_are_sorted_and_cut_where_a_response_is_short_beside_the_longest() -> None:
    lengths = torch.tensor([3, 100, 40, 60, 0, 51])
    assert [rows.tolist() for rows in shared_prefix.slices_of_like_length(lengths, PrefixSplit(10, 1, 0.5))] == [
        [1, 3, 5],
        [2],
        [0, 4],
    ]
    assert [rows.tolist() for rows in shared_prefix.slices_of_like_length(lengths, PrefixSplit(10, 1, 0.8))] == [
        [1],
        [3, 5],
        [2],
        [0, 4],
    ]
    assert [len(rows) for rows in shared_prefix.slices_of_like_length(lengths, PrefixSplit(10, 4, 0.5))] == [4, 2]
    assert [len(rows) for rows in shared_prefix.slices_of_like_length(lengths, PrefixSplit(1000, 1, 0.5))] == [6]


def test_equal_prompts_that_stand_apart_are_two_groups() -> None:
    ids = torch.tensor([[1, 2], [1, 2], [3, 4], [1, 2]])
    which, first = shared_prefix.prompt_groups(ids, torch.ones_like(ids, dtype=torch.bool))
    assert which.tolist() == [0, 0, 1, 2]
    assert first.tolist() == [0, 2, 3]
    padded = torch.tensor([[True, True], [False, True], [True, True], [True, True]])
    assert shared_prefix.prompt_groups(ids, padded)[0].tolist() == [0, 1, 2, 3], "the same ids, but one is padding"
