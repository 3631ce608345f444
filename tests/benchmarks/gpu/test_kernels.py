"""Kernels of a wide vocabulary: those that run here against full float32, and the choice between them."""

from __future__ import annotations

import pytest
import torch

from benchmarks.gpu import kernel_process, kernels
from benchmarks.gpu.tables import choice
from benchmarks.harness.record import Row


def kernel(name: str, took: float, **errors: float) -> Row:
    same = dict.fromkeys(("logp_error", "logp_error_max", "hidden_gradient_error", "weight_gradient_error"), 1e-3)
    return {"kernel": name, "forward_ms": [took], "backward_ms": [took]} | same | errors


def test_the_kernel_that_is_chosen_is_the_fastest_that_is_as_right_as_plain_torch() -> None:
    plain, exact, near = kernel("whole rows", 9.0), kernel("exact", 8.0, logp_error=0.0), kernel("near", 5.0)
    wrong = kernel("drops gradients", 1.0, weight_gradient_error=0.5)
    assert choice([plain, exact, near, wrong]) == near
    instead = kernel("chunks of 64 MiB, as CUDA takes", 9.0)
    assert choice([exact, wrong, instead]) == exact, "where whole rows took too much memory"
    assert choice([exact, near]) is None


@pytest.mark.parametrize("name", [name for name, one in kernels.KERNELS.items() if one.package in ("torch", "tvo_cli")])
def test_our_kernels_agree_with_full_float32(name: str) -> None:
    inputs = kernel_process.Inputs("cpu", torch.float32, 40, 16, 300)
    found = kernel_process.measure(name, inputs, repeats=2)
    assert len(found["forward_ms"]) == len(found["backward_ms"]) == 2
    assert max(value for key, value in found.items() if "error" in key) < 1e-5
    rounded = kernel_process.measure(name, kernel_process.Inputs("cpu", torch.bfloat16, 40, 16, 300), repeats=1)
    assert 1e-5 < rounded["hidden_gradient_error"] < 0.05


def test_the_reference_is_autograd_s() -> None:
    inputs = kernel_process.Inputs("cpu", torch.float32, 9, 5, 30)
    logp = kernels.whole_rows(inputs.hidden, inputs.weight, inputs.chosen)
    logp.backward(inputs.gradient)
    right = kernel_process.reference(inputs)
    for found, expected in zip((logp, inputs.hidden.grad, inputs.weight.grad), right, strict=True):
        torch.testing.assert_close(found, expected)
    assert float((inputs.hidden @ inputs.weight.t()).detach().std()) == pytest.approx(kernel_process.SPREAD, rel=0.3)


def test_a_kernel_that_is_not_installed_is_known_by_its_module() -> None:
    for package in ("no_such_module", "torch.no_such_function"):
        assert not kernels.is_installed(kernels.Kernel(package, "", kernels.liger))
    assert kernels.is_installed(kernels.KERNELS["whole rows"])
