"""What a GPU can do at most, what a step needs at least, and the shares of the one that the other comes to.

For N parameters (the head's among them; an embedding's not where it is only looked up), L layers, D = heads × width of
a head, D_kv = key heads × width, rows of P prompt and R response tokens, S = P + R (the convention of PaLM,
arXiv:2204.02311, appendix B, attention causal):

    update       6·N·S + 6·L·D·S·(S+1)  operations a row: forward and backward, three times a forward
    generation   2·N·S + 2·L·D·S·(S+1)  operations a row
    utilisation  operations over seconds and the device's dense bfloat16 operations a second

A prompt counts once a response and the head at every position, whoever saves that work: utilisation is useful work over
time. Each decoded token of a batch reads every weight once and its rows' keys and values so far, at b bytes a number:

    decode bytes = Σ_{t=0}^{R−1} b·(N + 2·L·D_kv·rows·(P + t))

which over the seconds of generation (the prompts' forward included) is the bandwidth of decoding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from benchmarks.workload.work import Work

# Dense bfloat16 TFLOP/s and memory TB/s as the manufacturer states them, by words that all stand in torch's name.
DEVICES: dict[tuple[str, ...], tuple[float, float]] = {
    ("B200",): (2250.0, 8.0),
    ("H200",): (989.0, 4.8),
    ("H200", "NVL"): (835.0, 4.8),
    ("H100",): (989.0, 3.35),
    ("H100", "NVL"): (835.0, 3.9),
    ("H100", "PCIe"): (756.0, 2.0),
    ("A100", "40GB"): (312.0, 1.555),
    ("A100", "80GB"): (312.0, 2.039),
    ("A100", "80GB", "PCIe"): (312.0, 1.935),
    ("L40S",): (362.0, 0.864),
    ("L4",): (121.0, 0.3),
    ("RTX", "4090"): (165.2, 1.008),
    ("RTX", "3090"): (71.0, 0.936),
}
LESSER = {"laptop", "d", "ti", "super", "mig"}  # words of a name that make it another device, or a part of one
BYTES = {"bfloat16": 2, "float32": 4}


@dataclass(frozen=True)
class Limits:
    """Operations and bytes a second; None: not known."""

    flops: float | None
    bandwidth: float | None


@dataclass(frozen=True)
class Sizes:
    """What counts of a model."""

    parameters: int
    layers: int
    query_width: int  # D
    key_width: int  # D_kv


def stated_limits(name: str) -> Limits:
    """Of a device by torch's name for it; the entry with the most words counts."""
    words = {word.lower() for word in re.split(r"[\s_-]+", name)}
    fitting = [key for key in DEVICES if words >= {word.lower() for word in key}]
    if not fitting or words & LESSER:
        return Limits(None, None)
    flops, bandwidth = DEVICES[max(fitting, key=len)]
    return Limits(flops * 1e12, bandwidth * 1e12)


def update_flops(sizes: Sizes, work: Work) -> float:
    """Of all updates of a step."""
    return 3.0 * work.epochs * generation_flops(sizes, work)


def generation_flops(sizes: Sizes, work: Work) -> float:
    """Of a step's responses, which is that of a forward."""
    length = work.prompt_tokens + work.new_tokens
    row = 2 * sizes.parameters * length + 2 * sizes.layers * sizes.query_width * length * (length + 1)
    return float(work.rows * row)


def decode_bytes(sizes: Sizes, work: Work, precision: str) -> float:
    """Weights, keys and values that decoding reads, all rows together in one batch."""
    contexts = sum(work.prompt_tokens + t for t in range(work.new_tokens))
    cache = 2 * sizes.layers * sizes.key_width * work.rows * contexts
    return float(BYTES[precision] * (work.new_tokens * sizes.parameters + cache))


def share(amount: float, seconds: float, limit: float | None) -> float | None:
    """amount/seconds over a limit; None where either is not known."""
    return amount / seconds / limit if limit and seconds else None
