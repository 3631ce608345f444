"""Time, memory and error of one kernel; one JSON line. Weights, states and per-token gradients are drawn.

    python -m benchmarks.gpu.kernel_process "tiles 4096 × 16384" --device cuda --dtype bfloat16 --tokens 8192
        --hidden 896 --vocabulary 151936

The logits' standard deviation is 2 nats, so that a token's distribution is neither flat nor certain. Errors are against
products and softmax in full float32 of the same (rounded) inputs.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.kernels import KERNELS
from benchmarks.workload.stopwatch import CLOCKS, peak, peak_of_gpu, resident

SPREAD = 2.0  # standard deviation of logits, in nats
WARM_UP = 2
ROWS = 256  # of the reference, at a time


class Inputs:
    """What every kernel is given."""

    def __init__(self, device: str, dtype: torch.dtype, tokens: int, hidden: int, vocabulary: int) -> None:
        rng = torch.Generator(device).manual_seed(0)
        drawn: dict[str, Any] = {"generator": rng, "device": device}
        self.hidden = torch.randn(tokens, hidden, **drawn).to(dtype).requires_grad_()
        self.weight = torch.randn(vocabulary, hidden, **drawn).mul_(SPREAD / hidden**0.5).to(dtype).requires_grad_()
        self.chosen = torch.randint(vocabulary, (tokens,), **drawn)
        self.gradient = torch.randn(tokens, **drawn) / tokens  # of log π of each token, as advantages are


def measure(name: str, inputs: Inputs, repeats: int) -> dict[str, Any]:
    """Milliseconds of each repetition, MiB over what was there before, relative errors."""
    on_gpu = inputs.hidden.is_cuda
    now, base = CLOCKS["gpu" if on_gpu else "wall"], _begin_memory(on_gpu)
    times: dict[str, list[float]] = {"forward_ms": [], "backward_ms": []}
    for _ in range(WARM_UP + repeats):
        inputs.hidden.grad = inputs.weight.grad = None
        begun = now()
        logp = KERNELS[name].log_probs(inputs.hidden, inputs.weight, inputs.chosen)
        between = now()
        logp.backward(inputs.gradient)
        times["forward_ms"].append(1e3 * (between - begun))
        times["backward_ms"].append(1e3 * (now() - between))
    extra = (peak_of_gpu() if on_gpu else peak()) - base
    found = {name: values[WARM_UP:] for name, values in times.items()}
    return found | {"extra_mb": extra} | errors(inputs, logp.detach())


def _begin_memory(on_gpu: bool) -> float:
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / 2**20
    return resident()


@torch.no_grad()
def errors(inputs: Inputs, logp: Tensor) -> dict[str, float]:
    """Mean and largest error of log π in nats, relative errors of the gradients: ‖found − right‖ / ‖right‖."""
    torch.set_float32_matmul_precision("highest")
    right = reference(inputs)
    apart = (logp - right[0]).abs()
    found = {"logp_error": apart.mean(), "logp_error_max": apart.max()}
    for name, value, truth in zip(("hidden", "weight"), (inputs.hidden, inputs.weight), right[1:], strict=True):
        assert value.grad is not None
        found[f"{name}_gradient_error"] = (value.grad.float() - truth).norm() / truth.norm()
    return {name: float(value) for name, value in found.items()}


def reference(inputs: Inputs) -> tuple[Tensor, Tensor, Tensor]:
    """log π, and the gradients by h and W, in float32: ∂/∂z = g (1[y] − π)."""
    weight = inputs.weight.float()
    by_weight, logps, by_hidden = torch.zeros_like(weight), [], []
    for h, y, g in zip(*(x.split(ROWS) for x in (inputs.hidden, inputs.chosen, inputs.gradient)), strict=True):
        log_pi = (h.float() @ weight.t()).log_softmax(-1)
        logps.append(log_pi.gather(-1, y[:, None]).squeeze(-1))
        by_logits = log_pi.exp_().mul_(-g[:, None]).scatter_add_(-1, y[:, None], g[:, None])
        by_hidden.append(by_logits @ weight)
        by_weight.addmm_(by_logits.t(), h.float())
    return torch.cat(logps), torch.cat(by_hidden), by_weight


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kernel", choices=sorted(KERNELS))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    for name in ("tokens", "hidden", "vocabulary"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    out, sys.stdout = sys.stdout, sys.stderr
    torch.set_float32_matmul_precision("high")  # TF32 for what stays in float32, as training takes it
    sizes = (chosen.tokens, chosen.hidden, chosen.vocabulary)
    inputs = Inputs(chosen.device, getattr(torch, chosen.dtype), *sizes)
    print(json.dumps(measure(chosen.kernel, inputs, chosen.repeats)), file=out)


if __name__ == "__main__":
    main()
