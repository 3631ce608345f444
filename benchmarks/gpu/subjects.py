"""The models that are measured: random ones of known shapes, and real ones of a folder, each with its work."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.gpu.limits import Sizes
from benchmarks.workload.work import Work

QWEN = 151_936  # words of Qwen2's vocabulary
EXPERTS = {"num_experts", "num_local_experts", "n_routed_experts"}
SHAPES = {
    "tiny": Work("tiny", 0, 0, 0, 0, hidden=48, layers=2, heads=6, kv_heads=2, inner=64, vocabulary=512),
    "smollm2-135m": Work(
        "smollm2-135m", 0, 0, 0, 0,
        hidden=576, layers=30, heads=9, kv_heads=3, inner=1536, vocabulary=49_152, family="llama",
    ),
    "qwen2-0.5b": Work(
        "qwen2-0.5b", 0, 0, 0, 0, hidden=896, layers=24, heads=14, kv_heads=2, inner=4864, vocabulary=QWEN,
    ),
    "qwen2-1.5b": Work(
        "qwen2-1.5b", 0, 0, 0, 0, hidden=1536, layers=28, heads=12, kv_heads=2, inner=8960, vocabulary=QWEN,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """A model and what is done with it."""

    name: str
    work: Work
    sizes: Sizes
    source: Path | None  # the folder of real weights; None: random ones


def random_subject(shape: str, **amounts: Any) -> Subject:
    """Random weights of a shape; `amounts` are prompts, samples and lengths."""
    work = replace(SHAPES[shape], **amounts)
    return Subject(shape, work, sizes_of(work), None)


def sizes_of(work: Work) -> Sizes:
    """Of a shape with a tied embedding; Qwen2 has biases on queries, keys and values."""
    width, biases = work.hidden // work.heads * work.kv_heads, work.family == "qwen2"
    attention = 2 * work.hidden**2 + 2 * work.hidden * width + biases * (work.hidden + 2 * width)
    layer = attention + 3 * work.hidden * work.inner + 2 * work.hidden
    return Sizes(work.layers * layer + work.hidden * (work.vocabulary + 1), work.layers, work.hidden, width)


def real_subject(folder: Path, **amounts: Any) -> Subject:
    """The model of a folder in hub format, called real-FOLDER."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = config.get("text_config") or config
    if experts := EXPERTS & config.keys():
        raise ValueError(f"{', '.join(sorted(experts))}: a token reads a part of the weights, which is not reckoned")
    heads, layers = config["num_attention_heads"], config["num_hidden_layers"]
    key_heads = config.get("num_key_value_heads") or heads
    width = config.get("head_dim") or config["hidden_size"] // heads
    name = f"real-{folder.resolve().name}"
    work = Work(
        name, **amounts, hidden=config["hidden_size"], layers=layers, heads=heads, kv_heads=key_heads,
        inner=config["intermediate_size"], vocabulary=config["vocab_size"], family=config["model_type"],
    )  # fmt: skip
    return Subject(name, work, Sizes(used_parameters(folder), layers, heads * width, key_heads * width), folder)


def used_parameters(folder: Path) -> int:
    """Numbers in a folder's safetensors that every token is multiplied by, read from their headers.

    A tied embedding is stored once and is the head; beside a head of its own it is only looked up.
    """
    files = list(folder.glob("*.safetensors"))
    if not files:
        raise ValueError("there are no safetensors")
    counts = {name: math.prod(shape) for path in files for name, shape in _shapes(path)}
    heads = [count for name, count in counts.items() if name.endswith("lm_head.weight")]
    return sum(counts.values()) - sum(heads)


def _shapes(path: Path) -> Iterator[tuple[str, list[int]]]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    return ((name, entry["shape"]) for name, entry in header.items() if name != "__metadata__")
