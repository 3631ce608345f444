"""Operations, bytes and devices of `benchmarks.gpu`, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.gpu import limits
from benchmarks.gpu.limits import Limits, Sizes
from benchmarks.gpu.subjects import SHAPES, sizes_of
from benchmarks.workload.work import Work

AMOUNTS: dict[str, Any] = {"prompts": 2, "samples": 3, "prompt_tokens": 3, "new_tokens": 2}
SMALL = Work("small", **AMOUNTS)
SIZES = Sizes(parameters=1000, layers=2, query_width=8, key_width=4)


def test_parameters_are_those_that_the_models_cards_state() -> None:
    found = {name: sizes_of(work).parameters for name, work in SHAPES.items()}
    assert found["smollm2-135m"] == 134_515_008
    assert (found["qwen2-0.5b"], found["qwen2-1.5b"]) == (494_032_768, 1_543_714_304)


def test_operations_and_bytes_of_a_step() -> None:
    """6 rows of 5 tokens: 2·1000·5 by the weights and, by attention, 4·L·D for each of 15 pairs of positions."""
    row = 2 * 1000 * 5 + 4 * 2 * 8 * sum(range(1, 6))
    assert limits.generation_flops(SIZES, SMALL) == 6 * row == 65_760
    assert limits.update_flops(SIZES, SMALL) == 3 * 6 * row
    assert limits.update_flops(SIZES, Work("twice", **AMOUNTS, epochs=2)) == 2 * 3 * 6 * row
    read_at = [1000 + 2 * 2 * 4 * 6 * context for context in (3, 4)]  # two decoded tokens: all weights, 6 rows' caches
    assert limits.decode_bytes(SIZES, SMALL, "bfloat16") == 2 * sum(read_at) == 5344
    assert limits.decode_bytes(SIZES, SMALL, "float32") == 4 * sum(read_at)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("NVIDIA H200", (989e12, 4.8e12)),
        ("NVIDIA H100 80GB HBM3", (989e12, 3.35e12)),
        ("NVIDIA H100 PCIe", (756e12, 2.0e12)),
        ("NVIDIA A100-SXM4-80GB", (312e12, 2.039e12)),
        ("NVIDIA A100-PCIE-40GB", (312e12, 1.555e12)),
        ("NVIDIA A100 80GB PCIe", (312e12, 1.935e12)),
        ("NVIDIA L4", (121e12, 0.3e12)),
        ("NVIDIA GeForce RTX 4090", (165.2e12, 1.008e12)),
    ],
)
def test_a_device_of_the_table(name: str, known: tuple[float, float]) -> None:
    found = limits.stated_limits(name)
    assert (found.flops, found.bandwidth) == (pytest.approx(known[0]), pytest.approx(known[1]))


@pytest.mark.parametrize(
    "name",
    [
        *("", "NVIDIA GH200 480GB", "NVIDIA L40", "NVIDIA A10", "NVIDIA H20", "NVIDIA GeForce RTX 4090 Laptop GPU"),
        *("NVIDIA GeForce RTX 4090 D", "NVIDIA A100-SXM4-40GB MIG 1g.5gb", "NVIDIA GeForce RTX 3090 Ti"),
    ],
)
def test_a_device_that_is_like_one_of_the_table_is_unknown(name: str) -> None:
    assert limits.stated_limits(name) == Limits(None, None)


def test_a_share_of_what_is_not_known_is_none() -> None:
    assert limits.share(6.0, 2.0, 12.0) == 0.25
    assert limits.share(6.0, 2.0, None) is None and limits.share(6.0, 0.0, 1.0) is None
