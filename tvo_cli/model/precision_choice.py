"""The choice of a precision: what `auto` means for a model on a kind of device."""

from __future__ import annotations

REAL_SIZE = 10_000_000  # parameters from which tensor cores and AMX pay; below, all devices give the same


def choose_precision(kind: str, dtype: str, parameters: int, *, bfloat16: bool) -> str:
    """float32 or bfloat16, of the forward pass: on CUDA, and on a CPU with AMX, bfloat16 for a model of real size.

    Args:
        kind: of the device: cpu, cuda, mps.
        dtype: of the weights; a model in bfloat16 computes in it anywhere.
        parameters: of the model.
        bfloat16: whether the device has units for products in it.
    """
    if dtype == "bfloat16":
        return dtype
    return "bfloat16" if kind in ("cuda", "cpu") and bfloat16 and parameters >= REAL_SIZE else "float32"


def allows_tf32(kind: str, precision: str) -> bool:
    """Whether a chosen precision lets products that stay in float32 go through TF32: on CUDA, beside bfloat16."""
    return kind == "cuda" and precision == "bfloat16"


def describe_precision(kind: str, precision: str, parameters: int) -> str:
    """What a choice means, for a line of the log."""
    of = f"{kind}, {parameters:,} parameters"
    if precision == "float32":
        return f"float32 ({of})"
    rest = ", TF32 for products that stay in float32" if allows_tf32(kind, precision) else ""
    return f"bfloat16 forward and backward over float32 weights{rest} ({of})"


def has_bfloat16_products(kind: str) -> bool:
    """Whether this process's device of the kind has units for bfloat16 products: a GPU's own, or a CPU's AMX.

    AVX-512's bfloat16 products are at most twice as fast as float32's, and are not taken unasked.
    """
    import torch

    if kind == "cpu":
        return bool(torch.cpu.get_capabilities().get("amx_bf16"))
    return kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
