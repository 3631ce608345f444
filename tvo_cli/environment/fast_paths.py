"""Fast paths (oneDNN, packing, shared prompts, continuous batching, GPUs): which a network takes, or why not."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn

from tvo_cli.model import Policy, load_policy
from tvo_cli.model.forward_pass import (
    cache_support,
    gradient_checkpointing,
    packed_attention_kernels,
    sequence_packing,
    shared_prefix,
)
from tvo_cli.model.forward_pass.packed_layout import MaskedLayout, VarlenSequences
from tvo_cli.model.model_files.model_location import FRESH
from tvo_cli.model.precision_choice import REAL_SIZE, allows_tf32
from tvo_cli.optim import fused_kernel
from tvo_cli.rollout.decoding import cache_slots, fused_decode, onednn

ELSEWHERE = ("oneDNN products", "joined decoding", "continuous batching", "packed rows", "shared prompts")


class FastPath(NamedTuple):
    """A fast path: a quicker way to the same numbers within rounding; whether it is on, and why."""

    name: str
    on: bool
    why: str


def fast_paths_here(precision: str = "float32") -> list[FastPath]:
    """Return the fast paths of this machine, for networks that are large enough."""
    policy = load_policy({"path": FRESH}, device="cpu")
    with onednn.onednn_matmul(policy.network):
        found = [*network_fast_paths(policy, large=True)]
    return [*found, _fused_optimiser_here(), *fast_paths_of_accelerators(precision)]


def fast_paths_of_run(policy: Policy | None, optimizer: torch.optim.Optimizer | None, precision: str) -> list[FastPath]:
    """Return the fast paths of a run's networks, inside `onednn_matmul` if it is. None: it has none here."""
    own = (
        network_fast_paths(policy)
        if policy
        else (FastPath(name, False, "the network is in another engine") for name in ELSEWHERE)
    )
    return [*own, _fused_optimiser_path(optimizer), *fast_paths_of_accelerators(precision)]


def network_fast_paths(policy: Policy, *, large: bool = False) -> Iterator[FastPath]:
    """Yield the fast paths of sampling and of the forward pass."""
    network, body = policy.network, policy.network.base_model
    without = _why_no_attention_of_ours(network, large=large)
    why = without or _why_default_products()
    yield FastPath("oneDNN products", not why, why or f"a product errs by less than {onednn.TOLERANCE:g}, as float32")
    taken = not without and fused_decode.fused_decoder(policy) is not None
    limit = f"{', '.join(fused_decode.FAMILY)} in float32, at most {fused_decode.LARGEST:,} parameters in layers"
    yield FastPath("joined decoding", taken, without or (limit if taken or large else f"for {limit}"))
    yield _continuous_batching_path(network)
    yield _packed_rows_path(body, without)
    yield _shared_prompts_path(body)


def _continuous_batching_path(network: Any) -> FastPath:
    joins = cache_slots.has_slots(network)
    pays = "rows that wait (rollout.batch_size, rollout.cache_gb) join running ones where that saves more than it pads"
    return FastPath("continuous batching", joins, pays if joins else "batch after batch: the cache keeps a state")


def _packed_rows_path(body: nn.Module, without: str) -> FastPath:
    on_gpu = _attention_name(body) == packed_attention_kernels.GPU_ATTENTION
    if without and not on_gpu:
        return FastPath("packed rows", False, without)
    pieces = sequence_packing.packing_pieces(body)
    if pieces is None:
        return FastPath("packed rows", False, "the network's attention does not take packed rows")
    kernel = {MaskedLayout: ", SDPA with masks", VarlenSequences: ", FlashAttention by sequence"}[pieces]
    return FastPath("packed rows", True, f"prompts once, no padding{kernel if on_gpu else ''}")


def _shared_prompts_path(body: nn.Module) -> FastPath:
    """Whether prompts are shared in an update; rows are taken as short, and a forward without gradient is another."""
    if not cache_support.supports_kv_cache(body):
        return FastPath("shared prompts", False, "the network keeps another cache than plain keys and values")
    recomputed = gradient_checkpointing.uses_gradient_checkpointing(body)
    if recomputed and not sequence_packing.supports_packing(body):
        remedy = "model.gradient_checkpointing=false"
        return FastPath("shared prompts", False, f"layers are recomputed and rows not packed: {remedy}")
    saves = f"where it saves {shared_prefix.SHARE:.0%} of the positions and {shared_prefix.LEAST:.0e} operations"
    return FastPath("shared prompts", True, saves)


def _why_default_products() -> str:
    """Return why matrix products do not go through oneDNN; "" where they do."""
    if not onednn.onednn_keeps_accuracy():
        return f"this CPU would round to bfloat16: a product errs by more than {onednn.TOLERANCE:g}"
    return "" if onednn.products_are_onednn() else "off: trainer.matmul=default"


def _why_no_attention_of_ours(network: Any, *, large: bool) -> str:
    """Return why the network does not attend through the attention of packed rows; "" where it does."""
    if _attention_name(network) == sequence_packing.ATTENTION:
        return ""
    parameters = sum(p.numel() for p in network.parameters())
    kind = next(network.parameters()).device.type
    if kind != "cpu":
        return f"for CPUs; the network is on {kind}"
    if not large and parameters < onednn.LARGE:
        return f"{parameters:,} parameters: gains from {onednn.LARGE:,} on"
    return f"for model.attention=sdpa; the network's is {_attention_name(network)}"


def _attention_name(network: Any) -> str:
    """The attention that a network takes, as `tvo env` and the run's fast paths name it."""
    return str(network.config._attn_implementation)


def _fused_optimiser_path(optimizer: torch.optim.Optimizer | None) -> FastPath:
    if optimizer is None:
        return FastPath("fused optimiser", False, "for tvo train")
    on = bool(optimizer.defaults.get("fused"))
    return FastPath("fused optimiser", on, _fused_optimiser_reason(on))


def _fused_optimiser_here() -> FastPath:
    """Return the fused optimiser's fast path on this machine, asked for as many parameters as it takes."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    made = fused_kernel.with_fused_kernel(torch.optim.AdamW, [torch.empty(fused_kernel.LEAST, device=device)])
    on = isinstance(made, partial) and bool(made.keywords.get("fused"))
    return FastPath("fused optimiser", on, _fused_optimiser_reason(on))


def _fused_optimiser_reason(on: bool) -> str:
    limit = f"from {fused_kernel.LEAST:,} parameters on, on {' and '.join(fused_kernel.DEVICES)}"
    return limit if on else f"{limit}, with an optimiser that has such a kernel"


def fast_paths_of_accelerators(precision: str = "float32") -> Iterator[FastPath]:
    """Yield the fast paths of accelerators: bfloat16, TF32, CUDA, MPS."""
    own = f"by itself on CUDA and on a CPU with AMX, from {REAL_SIZE:,} parameters on"
    wanted = f"{own}; else with trainer.precision=bfloat16"
    yield FastPath("bfloat16", precision == "bfloat16", "the forward pass" if precision == "bfloat16" else wanted)
    there = torch.cuda.is_available()
    tf32 = there and allows_tf32("cuda", precision)
    kept = "products that stay in float32" if tf32 else "float32 products stay whole: nothing is in bfloat16"
    yield FastPath("TF32", tf32, kept if there else "for CUDA")
    lacks = "no GPU or driver is seen" if torch.version.cuda else "this torch is built without CUDA"
    yield FastPath("CUDA", there, torch.cuda.get_device_name(0) if there else lacks)
    apple = torch.backends.mps.is_available()
    yield FastPath("MPS", apple, "Apple's GPU" if apple else "no GPU of Apple's, or a torch without MPS")
