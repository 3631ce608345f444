"""The attention of packed rows on a GPU, tried on the CPU: SDPA with masks, and a stand-in for FlashAttention.

FlashAttention itself has not run: these tests hold what is handed to it and what is done with its result.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.model.conftest import batch, both, packing_families, without_dropout
from tests.model.varlen_stand_in import varlen_by_sequence
from tvo_cli.model.forward_pass import packed_attention_kernels, sequence_packing
from tvo_cli.model.forward_pass.gradient_checkpointing import enable_gradient_checkpointing
from tvo_cli.model.forward_pass.hidden_states import predicting_states
from tvo_cli.model.forward_pass.packed_attention_kernels import GPU_ATTENTION, AttentionHeads
from tvo_cli.model.forward_pass.packed_layout import MaskedLayout, VarlenSequences
from tvo_cli.rollout.decoding.onednn import attention_of_packed_rows

CPU, HEADS = torch.device("cpu"), AttentionHeads(4, 2, 8)
HALVES = [torch.bfloat16, torch.float16]


@pytest.fixture(autouse=True)
def kernels_are_tried_anew() -> Iterator[None]:
    """Whether there is a kernel is remembered, and here it changes."""
    packed_attention_kernels.has_varlen_kernel.cache_clear()
    yield
    packed_attention_kernels.has_varlen_kernel.cache_clear()


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[torch.dtype]:
    """FlashAttention for any precision, and the precisions that it was called in."""
    called: list[torch.dtype] = []
    monkeypatch.setattr(
        packed_attention_kernels, "varlen_attn", lambda *given, **known: note(called, varlen_by_sequence, given, known)
    )
    monkeypatch.setattr(packed_attention_kernels, "VARLEN_DTYPES", tuple(packed_attention_kernels.TOLERANCES))
    return called


def note(called: list[torch.dtype], kernel: Callable[..., Tensor], given: Any, known: Any) -> Tensor:
    called.append(given[0].dtype)
    return kernel(*given, **known)


def as_on_a_gpu(network: Any) -> Any:
    """The network with the attention that it has there."""
    packed_attention_kernels.register_gpu_attention()
    network.set_attn_implementation(GPU_ATTENTION)
    return network


@pytest.mark.parametrize("recomputed", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize("kernel", [True, False], ids=["by sequence", "masked"])
@pytest.mark.parametrize("name", packing_families())
def test_a_packed_row_gives_the_plain_states_and_gradients(
    name: str,
    kernel: bool,
    recomputed: bool,
    sharing_always: None,
    stand_in: list[torch.dtype],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = as_on_a_gpu(without_dropout(packing_families()[name]).double())
    if recomputed:
        enable_gradient_checkpointing(network)
    if not kernel:
        monkeypatch.setattr(packed_attention_kernels, "VARLEN_DTYPES", ())
    body = network.base_model
    assert sequence_packing.packing_pieces(body) is (VarlenSequences if kernel else MaskedLayout)
    stand_in.clear()
    mine, theirs = both(body, network, batch(), monkeypatch)
    assert len(stand_in) == (kernel * 2 * (1 + recomputed)), "two layers, again where they are recomputed"
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=2e-6 * float(other.abs().max() + 1e-6))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_a_kernel_that_agrees_with_sdpa_is_taken(stand_in: list[torch.dtype], dtype: torch.dtype) -> None:
    assert packed_attention_kernels.has_varlen_kernel(CPU, dtype, HEADS)
    assert stand_in == [dtype], "and tried once"


def sees_too_much(*given: Any, **known: Any) -> Tensor:
    """The last query of each sequence as the first: the other alignment of a causal mask."""
    return varlen_by_sequence(given[0].flip(0), *given[1:], **known).flip(0)


def without_key_gradients(query: Tensor, key: Tensor, *others: Any, **known: Any) -> Tensor:
    """A right output whose backward pass forgets something."""
    return varlen_by_sequence(query, key.detach() + 0.0 * key, *others, **known)


def not_here(*given: Any, **known: Any) -> Tensor:
    """As on a device without it."""
    raise RuntimeError("no kernel image is available")


@pytest.mark.parametrize(
    "kernel",
    [sees_too_much, without_key_gradients, not_here, None],
    ids=lambda kernel: getattr(kernel, "__name__", "none"),
)
@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_a_kernel_that_does_not_is_left(
    kernel: Callable[..., Tensor] | None, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None: torch's own, which is not there for a CPU."""
    if kernel:
        monkeypatch.setattr(packed_attention_kernels, "varlen_attn", kernel)
    assert not packed_attention_kernels.has_varlen_kernel(CPU, dtype, HEADS)


def test_numbers_of_four_bytes_have_no_such_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_attention_kernels, "varlen_attn", varlen_by_sequence)
    assert not packed_attention_kernels.has_varlen_kernel(CPU, torch.float32, HEADS)
    network = as_on_a_gpu(without_dropout(packing_families()["qwen2"]))
    assert sequence_packing.packing_pieces(network.base_model) is MaskedLayout


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16], ids=str)
def test_the_kernel_computes_in_bfloat16_and_errs_no_more_than_the_plain_forward(
    stored: torch.dtype, sharing_always: None, stand_in: list[torch.dtype], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under autocast, where queries come in float32 and values do not, and with weights in it."""
    monkeypatch.setattr(packed_attention_kernels, "VARLEN_DTYPES", tuple(HALVES))
    network = as_on_a_gpu(without_dropout(packing_families()["llama"]).to(stored))
    exact = copy.deepcopy(network).double()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=stored == torch.float32):
        assert sequence_packing.packing_pieces(network.base_model) is VarlenSequences
        stand_in.clear()
        found = both(network.base_model, network, batch(), monkeypatch)
    assert stand_in == 2 * [torch.bfloat16]
    right = both(exact.base_model, exact, batch(), monkeypatch)[1]
    mine, theirs = (
        torch.stack([(one - other).norm() for one, other in zip(each, right, strict=True)]) for each in found
    )
    assert bool((mine <= 1.5 * theirs).all()) and bool(theirs.all())


def test_a_network_that_computes_in_two_precisions_is_asked_for_each(
    stand_in: list[torch.dtype], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_attention_kernels, "VARLEN_DTYPES", tuple(HALVES))
    network = as_on_a_gpu(without_dropout(packing_families()["llama"]))
    ask = partial(sequence_packing.packing_pieces, network.base_model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert ask() is VarlenSequences
    assert ask() is MaskedLayout
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert ask() is VarlenSequences


def test_tf32_is_off_while_masked_pieces_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """With it products err by more than the comparison allows; a run in bfloat16 has it on."""
    network, found, real = (
        as_on_a_gpu(without_dropout(packing_families()["llama"])),
        [],
        packed_attention_kernels.masked_sdpa,
    )

    def noted(*given: Any) -> Tensor:
        found.append(torch.get_float32_matmul_precision())
        return real(*given)

    monkeypatch.setattr(packed_attention_kernels, "masked_sdpa", noted)
    with packed_attention_kernels.attention_matmul_precision("high"):
        assert sequence_packing.packing_pieces(network.base_model) is MaskedLayout
        assert set(found) == {"highest"} and torch.get_float32_matmul_precision() == "high"


def test_without_a_layout_it_is_transformers_sdpa(sharing_always: None, monkeypatch: pytest.MonkeyPatch) -> None:
    network = without_dropout(packing_families()["qwen2"])
    ids = torch.arange(3, 23).view(2, 10)
    seen = torch.ones_like(ids)
    seen[0, :3] = 0
    before = network(input_ids=ids, attention_mask=seen).logits
    after = as_on_a_gpu(network)(input_ids=ids, attention_mask=seen).logits
    assert torch.equal(before, after)


def test_long_rows_are_packed_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither kernel keeps weights."""
    network = as_on_a_gpu(without_dropout(packing_families()["qwen2"]))
    assert sequence_packing.packs_rows_of(network.base_model, 100 * sequence_packing.LONGEST)


@pytest.mark.parametrize("keywords", [{"softcap": 50.0}, {"sliding_window": 4}, {"is_causal": False}], ids=str)
def test_an_attention_of_another_kind_is_not_packed(keywords: dict[str, Any]) -> None:
    numbers = torch.zeros(1, 1, 8, 4)
    with pytest.raises(ValueError, match="causal softmax"):
        packed_attention_kernels._attention_forward(
            None, numbers, numbers, numbers, None, packed_layout=object(), **keywords
        )


@pytest.mark.parametrize(("kind", "name"), [("cuda", GPU_ATTENTION), ("cpu", "tvo_sdpa"), ("mps", None)])
def test_each_device_has_its_attention(kind: str, name: str | None) -> None:
    parameter = SimpleNamespace(device=torch.device(kind), numel=lambda: 10)
    network = SimpleNamespace(config=SimpleNamespace(_attn_implementation="sdpa"), parameters=lambda: iter([parameter]))
    assert attention_of_packed_rows(network) == name
    assert attention_of_packed_rows(network, least=11) is None
    network.config._attn_implementation = "eager"
    assert attention_of_packed_rows(network) is None


def test_states_do_not_change_where_a_padded_prompt_begins(sharing_always: None) -> None:
    """Padding sees itself alone: a query without a key would be nan, and nan times no weight is nan."""
    network = as_on_a_gpu(without_dropout(packing_families()["llama"]))
    assert sequence_packing.packing_pieces(network.base_model) is MaskedLayout
    ids, seen, responses, mask = batch()
    first = predicting_states(network.base_model, ids, seen, responses, mask)
    other = predicting_states(network.base_model, torch.where(seen, ids, 5), seen, responses, mask)
    assert bool(first.isfinite().all()) and torch.equal(first, other)
