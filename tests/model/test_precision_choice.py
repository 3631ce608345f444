"""Which precision `auto` means, asked by kind of device: no GPU is needed."""

from __future__ import annotations

import pytest
import torch

from tvo_cli.model.precision_choice import (
    REAL_SIZE,
    allows_tf32,
    choose_precision,
    describe_precision,
    has_bfloat16_products,
)
from tvo_cli.training.device_and_precision import set_product_precision, set_up_runtime


@pytest.mark.parametrize(
    ("kind", "dtype", "parameters", "bfloat16", "expected"),
    [
        ("cuda", "float32", 1_543_714_304, True, "bfloat16"),
        ("cuda", "float32", 134_515_008, True, "bfloat16"),  # SmolLM2
        ("cuda", "float32", REAL_SIZE, True, "bfloat16"),
        ("cuda", "float32", REAL_SIZE - 1, True, "float32"),  # the embedded models say the same on every device
        ("cuda", "float32", 1_543_714_304, False, "float32"),  # a GPU without such products, which would emulate them
        ("cpu", "float32", 134_515_008, True, "bfloat16"),  # AMX
        ("cpu", "float32", REAL_SIZE - 1, True, "float32"),
        ("cpu", "float32", 1_543_714_304, False, "float32"),
        ("mps", "float32", 1_543_714_304, False, "float32"),
        ("cpu", "bfloat16", 100, False, "bfloat16"),  # weights in bfloat16 compute in it anywhere
    ],
)
def test_a_model_of_real_size_computes_in_bfloat16_where_there_are_units_for_it(
    kind: str, dtype: str, parameters: int, bfloat16: bool, expected: str
) -> None:
    assert choose_precision(kind, dtype, parameters, bfloat16=bfloat16) == expected


def test_tf32_goes_with_bfloat16_on_cuda_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", said.append)
    for kind, precision in (("cuda", "bfloat16"), ("cuda", "float32"), ("cpu", "bfloat16")):
        set_product_precision(kind, precision)
    assert said == ["high", "highest"], "a CPU's products are left to rollout/decoding/onednn.py"
    assert allows_tf32("cuda", "bfloat16") and not allows_tf32("cuda", "float32")


def test_the_choice_is_told_with_its_reason() -> None:
    assert describe_precision("cuda", "bfloat16", 1_543_714_304) == (
        "bfloat16 forward and backward over float32 weights, TF32 for products that stay in float32 "
        "(cuda, 1,543,714,304 parameters)"
    )
    assert describe_precision("cuda", "float32", 99_000) == "float32 (cuda, 99,000 parameters)"


@pytest.mark.parametrize("features", [{"amx_bf16": True}, {"amx_bf16": False, "avx512_bf16": True}, {}])
def test_a_cpu_has_units_for_bfloat16_products_where_it_has_amx(
    features: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """AVX-512's are not taken unasked; an arm64 CPU lists no such feature."""
    assert "amx_bf16" in torch.cpu.get_capabilities() or torch.cpu.get_capabilities()["architecture"] != "x86_64"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    assert has_bfloat16_products("cpu") is features.get("amx_bf16", False)


def test_an_explicit_precision_that_is_none_is_refused() -> None:
    from tvo_cli.errors import UserError

    with pytest.raises(UserError, match=r"trainer\.precision=float16"):
        set_up_runtime("cpu", "float16", "float32", 1, False)
