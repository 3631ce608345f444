"""The arithmetic of a packed row: which tokens are whose, by hand, and attention by masks against that by sequence."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from tests.model.conftest import batch
from tests.model.varlen_stand_in import varlen_by_sequence
from tvo_cli.model.forward_pass import sequence_packing, shared_prefix
from tvo_cli.model.forward_pass.packed_attention_kernels import masked_sdpa
from tvo_cli.model.forward_pass.packed_layout import (
    MaskedLayout,
    PackedLayout,
    PackedSlice,
    VarlenSequences,
    token_ranges,
)
from tvo_cli.rollout.decoding.onednn import onednn_attention

PROMPTS = torch.tensor([[False, True, True], [True, True, True]])
SLICE = PackedSlice(6, 4, torch.tensor([0, 1, 1]), torch.tensor([4, 1, 3]))
SHORT = PackedSlice(18, 1, torch.tensor([1, 0]), torch.tensor([1, 0]))


def test_ranges_follow_each_other() -> None:
    found = token_ranges(torch.tensor([7, 0, 3]), torch.tensor([2, 0, 3]))
    assert found.tolist() == [7, 8, 3, 4, 5]


def test_a_response_has_its_prompts_keys_and_then_its_own() -> None:
    """Two prompts of 2 and 3 tokens in 6 places; three responses of 4, 1 and 3 in 12; one of 1, and one of none."""
    found = VarlenSequences.of(PackedLayout(PROMPTS, (SLICE, SHORT)))
    prompts, first, second, third, fourth = [1, 2], [3, 4, 5], [6, 7, 8, 9], [10], [14, 15, 16]
    assert found.queries.tolist() == [*prompts, *first, *second, *third, *fourth, 18]
    pairs = [prompts, first, prompts + second, first + third, first + fourth, [*first, 18]]
    assert found.keys.tolist() == [place for keys in pairs for place in keys]
    assert found.cu_seq_lens_q.tolist() == [0, 2, 5, 9, 10, 13, 14]
    assert found.cu_seq_lens_k.tolist() == [0, 2, 5, 11, 15, 21, 25]
    assert (found.max_length_q, found.max_length_k) == (4, 6)
    assert found.cu_seq_lens_q.dtype == found.cu_seq_lens_k.dtype == torch.int32


def test_prompts_alone_are_sequences_too() -> None:
    found = VarlenSequences.of(PackedLayout(PROMPTS, ()))
    assert found.queries.tolist() == found.keys.tolist() == [1, 2, 3, 4, 5]
    assert found.cu_seq_lens_q.tolist() == found.cu_seq_lens_k.tolist() == [0, 2, 5]


def test_masks_let_a_token_see_its_prompt_and_what_stands_before_it() -> None:
    found = MaskedLayout.of(PackedLayout(PROMPTS, (SLICE, SHORT)))
    assert found.prompt_mask[0, 0].long().tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]], "padding sees itself"
    assert found.masks[0][0, 0, 1].long().tolist() == [0, 1, 1, 1, 1, 0, 0]
    assert found.masks[0][1, 0, 3].long().tolist() == [1, 1, 1, 1, 1, 1, 1]
    assert found.longest == 7 and len(found.masks) == 2


@pytest.mark.parametrize("step", [1, 4])
def test_each_sequence_of_a_row_is_a_prompt_or_a_response_without_its_last_token(step: int) -> None:
    ids, seen, responses, mask = batch()
    which, first = shared_prefix.prompt_groups(ids, seen)
    slices = list(shared_prefix.slices_of_like_length(mask.sum(1), shared_prefix.PrefixSplit(4, 1, 0.5)))
    row = sequence_packing.packed_row((ids[first], seen[first]), which, (responses, mask), slices, step)
    found = VarlenSequences.of(row.layout)
    texts = [part.tolist() for part in row.tokens[found.queries].tensor_split(found.cu_seq_lens_q[1:-1].long())]
    order = [int(one) for rows in slices for one in rows if int(mask[one].sum()) > 1]
    assert texts == [
        *(ids[one][seen[one]].tolist() for one in first),
        *(responses[one][mask[one]].tolist()[:-1] for one in order),
    ]
    whole = [part.tolist() for part in row.tokens[found.keys].tensor_split(found.cu_seq_lens_k[1:-1].long())]
    assert whole[len(first) :] == [
        ids[one][seen[one]].tolist() + responses[one][mask[one]].tolist()[:-1] for one in order
    ]
    places = [part.tolist() for part in row.places[found.keys].tensor_split(found.cu_seq_lens_k[1:-1].long())]
    assert places == [list(range(len(text))) for text in whole], "positions count from the prompt's first token"


@pytest.mark.parametrize("heads", [(4, 4), (4, 2), (4, 1)], ids=str)
def test_masks_and_sequences_give_the_same_attention_and_gradients(heads: tuple[int, int]) -> None:
    layout, rng = PackedLayout(PROMPTS, (SLICE, SHORT)), torch.Generator().manual_seed(0)
    numbers = [torch.randn(1, h, 24, 8, generator=rng).double() for h in (heads[0], heads[1], heads[1])]
    sequences, pieces = VarlenSequences.of(layout), MaskedLayout.of(layout)
    weight = torch.randn(len(sequences.queries), heads[0], 8, generator=rng).double()
    results: list[list[Tensor]] = []
    ways: list[Callable[..., Tensor]] = [
        partial(sequences.attend, scaling=0.3, attention=varlen_by_sequence),
        partial(pieces.attend, scaling=0.3, attention=masked_sdpa),
        partial(pieces.attend, scaling=0.3, attention=onednn_attention),
    ]
    for attend in ways:
        leaves = [x.clone().requires_grad_() for x in numbers]
        found = attend(*leaves)
        assert found.shape == (1, 24, heads[0], 8) and not found[0, 20:].any(), "0 on the padding at the end"
        real = found[0, sequences.queries]
        results.append([real.detach(), *torch.autograd.grad((real * weight).sum(), leaves)])
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)
