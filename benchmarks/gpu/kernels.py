"""Ways to log π of chosen tokens over a wide vocabulary, ours and others', behind one signature.

A kernel takes hidden states h [N, H], the head's weight W [V, H] and chosen tokens y [N], and gives log softmax(W h)_y
[N], differentiable by h and W with a gradient of its own for each token, as a policy gradient needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

LogProbs = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Kernel:
    """One way."""

    package: str  # whose it is: a module that has to be there
    also: str  # what it gives besides
    log_probs: LogProbs


def whole_rows(hidden: Tensor, weight: Tensor, chosen: Tensor) -> Tensor:
    """All logits at once, as plain torch does it."""
    logits = functional.linear(hidden, weight).float()
    return logits.log_softmax(-1).gather(-1, chosen[:, None]).squeeze(-1)


def chunks(hidden: Tensor, weight: Tensor, chosen: Tensor, *, mebibytes: int) -> Tensor:
    """Rows by so many bytes of logits, recomputed in the backward pass."""
    from tvo_cli.model.forward_pass.logprobs import chunked_token_scores

    head = partial(functional.linear, weight=weight)
    return chunked_token_scores(head, hidden, chosen, 1.0, len(weight), chunk_bytes=mebibytes * 2**20)[0]


def tiles(hidden: Tensor, weight: Tensor, chosen: Tensor, *, rows: int, columns: int, whole: bool = False) -> Tensor:
    """Rows × words at a time; `whole` in float32."""
    from tvo_cli.model.forward_pass import tiled_logprobs

    tiled_logprobs.ROWS, tiled_logprobs.COLUMNS = rows, columns
    if whole:
        hidden, weight = hidden.float(), weight.float()
    return tiled_logprobs.tiled_token_scores(hidden, weight, None, chosen, 1.0)[0].float()


def liger(hidden: Tensor, weight: Tensor, chosen: Tensor) -> Tensor:
    """liger_kernel's fused linear cross entropy."""
    fused = import_module("liger_kernel.transformers").LigerFusedLinearCrossEntropyLoss(reduction="none")
    loss: Tensor = fused(weight, hidden, chosen)
    return -loss.float()


def cut_cross_entropy(hidden: Tensor, weight: Tensor, chosen: Tensor, **more: Any) -> Tensor:
    """Apple's cut_cross_entropy (arXiv:2411.09009); by default it drops small gradients."""
    module = import_module("cut_cross_entropy")
    loss: Tensor = module.linear_cross_entropy(hidden, weight, chosen, reduction="none", **more)
    return -loss.float()


def torch_chunks(hidden: Tensor, weight: Tensor, chosen: Tensor) -> Tensor:
    """torch's own, from 2.13 on."""
    fused: Any = functional.linear_cross_entropy
    options: Any = torch.nn.LinearCrossEntropyOptions
    loss: Tensor = fused(hidden, weight, chosen, reduction="none", options=options())
    return -loss.float()


def trl(hidden: Tensor, weight: Tensor, chosen: Tensor) -> Tensor:
    """TRL's tiles with Triton, at the width that its trainer takes."""
    function: Any = import_module("trl.kernels.chunked_logprob").ChunkedLogProbFunction
    logp: Tensor = function.apply(hidden, weight, None, chosen, 1.0, 32_768)[0]
    return logp


OURS = "entropy, collision"
KERNELS: dict[str, Kernel] = {
    "whole rows": Kernel("torch", "the logits", whole_rows),
    "chunks of 64 MiB, as CUDA takes": Kernel("tvo_cli", OURS, partial(chunks, mebibytes=64)),
    "chunks of 1 GiB": Kernel("tvo_cli", OURS, partial(chunks, mebibytes=1024)),
    "tiles 256 × 2048, as CPUs take": Kernel("tvo_cli", OURS, partial(tiles, rows=256, columns=2048)),
    "tiles 4096 × 16384": Kernel("tvo_cli", OURS, partial(tiles, rows=4096, columns=16_384)),
    "tiles 4096 × 16384, float32": Kernel("tvo_cli", OURS, partial(tiles, rows=4096, columns=16_384, whole=True)),
    "Liger": Kernel("liger_kernel", "", liger),
    "Cut Cross-Entropy": Kernel("cut_cross_entropy", "", cut_cross_entropy),
    "Cut Cross-Entropy, nothing dropped": Kernel(
        "cut_cross_entropy", "", partial(cut_cross_entropy, filter_eps=None)
    ),
    "TRL": Kernel("trl", "entropy, collision, mean logit", trl),
    "torch's chunks": Kernel("torch.nn.LinearCrossEntropyOptions", "", torch_chunks),
}  # fmt: skip


def is_installed(kernel: Kernel) -> bool:
    """Whether what a kernel needs can be imported, or is an attribute of what can be."""
    module, _, attribute = kernel.package.rpartition(".")
    if not module:
        return find_spec(attribute) is not None
    return hasattr(import_module(module), attribute)
