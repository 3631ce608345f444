"""Weights of 4 bits for the frozen network under an adapter, through bitsandbytes (extra: bitsandbytes)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tvo_cli.errors import UserError
from tvo_cli.model.policy import Policy
from tvo_cli.optional_packages import import_for

DEVICES = ("cpu", "cuda", "xpu")  # on which its 4-bit products are implemented


def quantisation_options(asked: str | None, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """What transformers' loader is told: linear layers but the output head in 4 bits, computed with in `dtype`.

    NF4 in blocks of 64, whose scales are quantised once more: 4.13 bits a weight. QLoRA, arXiv:2305.14314.
    """
    if not asked:
        return {}
    import_for("model.quantise", asked, "bitsandbytes", "bitsandbytes")
    from transformers import BitsAndBytesConfig

    if device.type not in DEVICES:
        remedy = f"Take model.quantise=null, or a device of: {', '.join(DEVICES)}."
        raise UserError("model.quantise", asked, f"does not run on {device.type}.", remedy)
    chosen = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
    return {"quantization_config": chosen, "device_map": {"": str(device)}}


def keep_quantised_as_loaded(network: nn.Module) -> None:
    """Have quantised layers stay what they are.

    On a CPU with AVX512-BF16 bitsandbytes would pack them anew in the first forward without gradients and round their
    scales to bfloat16: the policy that samples would be another than the one that is trained, and so would its state.
    """
    for module in network.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010 - mypy knows no such attribute


def dequantise(policy: Policy) -> None:
    """Give quantised weights their precision back, in place: the values that they were rounded to."""
    if getattr(policy.network, "is_quantized", False):
        policy.network.dequantize()
