"""What an adapter adds to the memory of a frozen network: its parameters, and what a forward keeps for them.

With r the rank, and in and out the numbers that an adapted layer reads and writes, a position:

    LoRA    r·(in + out) parameters; DoRA out more, the lengths; MiSS r·out
    kept    in, cast to the adapter's float32 where the network computes in bfloat16 weights; autocast keeps none more
            DoRA 2·out more, its own product and what scales it
    unfold  DoRA in² + 3·in·out numbers of a layer while it computes: peft puts the identity through B A for the norms
            of W + s·B A, which with s·B A and B A itself are as large as W; the largest layer's count
            MiSS r instead, the sum of the input's blocks, and no input of a linear layer: 2·H + I less a layer

A frozen matrix of 4 bits takes 0.516 bytes a number: NF4 in blocks of 64, whose scales take 8 bits each. bitsandbytes
unpacks it while its layer computes, in the precision that it was loaded in, under autocast too, and its scales with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.memory.network_shape import LinearLayer, NetworkShape

FLOAT = 4
BLOCK = 64  # numbers that share a scale
NF4 = 0.5 + (1 + FLOAT / 256) / BLOCK  # bytes a number: 4 bits; a scale of 8 bits a block; one of 32 for 256 blocks


@dataclass(frozen=True, slots=True)
class AdapterSize:
    """Trained numbers, and the numbers that adapted layers read and write, a position of all layers."""

    parameters: int
    inputs: int
    outputs: int
    dora: bool
    unfolded: int = 0  # numbers that a layer holds for a moment
    summed: int = 0  # numbers of the blocks' sums, a position of all layers: of MiSS
    unkept: int = 0  # numbers that the network would keep for the gradient of its own matrices, likewise

    @classmethod
    def of(cls, node: Any, shape: NetworkShape) -> AdapterSize | None:
        """Return the size of what a config's `adapter` asks for; None where every weight trains.

        Raises:
            UserError: no such layer is there, or a block of MiSS is wider than a layer's input; as a run refuses it.
        """
        if node["kind"] == "none":
            return None
        layers, dora = _adapted_layers(node["target_modules"], shape.linear), node["kind"] == "dora"
        _check_adapter_fits(node, layers, shape.linear)
        inputs, outputs = sum(one.inputs for one in layers), sum(one.outputs for one in layers)
        rank = int(node["rank"])
        if node["kind"] == "miss":
            unkept = shape.layers * (2 * shape.hidden + shape.intermediate)
            return cls(rank * outputs, inputs, outputs, dora, summed=rank * len(layers), unkept=unkept)
        unfolded = max((one.inputs**2 + 3 * one.inputs * one.outputs for one in layers), default=0) if dora else 0
        return cls(rank * (inputs + outputs) + dora * outputs, inputs, outputs, dora, unfolded)


def adapter_activation_bytes(adapter: AdapterSize, *, itemsize: int, autocast: bool) -> float:
    """Return what a position of all adapted layers keeps besides the network's own activations."""
    if adapter.summed:
        return float(adapter.summed * itemsize if autocast else adapter.summed * FLOAT - adapter.unkept * itemsize)
    casts = FLOAT * adapter.inputs if itemsize < FLOAT and not autocast else 0
    return float(casts + adapter.dora * 2 * adapter.outputs * (itemsize if autocast else FLOAT))


def frozen_bytes(shape: NetworkShape, itemsize: int, *, quantised: bool) -> float:
    """Return the weights of the network under an adapter; `quantised`: its linear layers but the head in 4 bits."""
    packed = sum(one.inputs * one.outputs for one in shape.linear) if quantised else 0
    return (shape.parameters - packed) * itemsize + packed * NF4


def unpacked_bytes(shape: NetworkShape, itemsize: int) -> float:
    """Return the largest matrix of 4 bits, unpacked to `itemsize` bytes a number, and its scales in float32."""
    return max((one.inputs * one.outputs for one in shape.linear), default=0) * (itemsize + FLOAT / BLOCK)


def _adapted_layers(asked: Sequence[str] | str, linear: Sequence[LinearLayer]) -> list[LinearLayer]:
    """Return the layers of the names asked for; of a name with a path in it, every layer of its last part."""
    names = _asked_names(asked)
    last = {name.rpartition(".")[2] for name in names}
    return [one for one in linear if names == ["auto"] or one.name in last]


def _asked_names(asked: Sequence[str] | str) -> list[str]:
    """The names of layers in adapter.target_modules."""
    return [asked] if isinstance(asked, str) else list(map(str, asked))


def _check_adapter_fits(node: Any, layers: Sequence[LinearLayer], linear: Sequence[LinearLayer]) -> None:
    """Refuse what `attach_adapter` would: only the last part of a layer's name, and its widths, are known here."""
    names, known = _asked_names(node["target_modules"]), sorted({one.name for one in linear})
    unknown = [name for name in names if names != ["auto"] and name.rpartition(".")[2] not in known]
    if known and (unknown or not names):
        problem = "is no linear layer of this model's backbone." if names else "names no layer."
        remedy = f"There are: {', '.join(known)}; or auto."
        raise UserError("adapter.target_modules", (unknown or ["[]"])[0], problem, remedy)
    narrowest = min(layers, key=lambda one: one.inputs, default=None)
    if node["kind"] == "miss" and narrowest is not None and narrowest.inputs < int(node["rank"]):
        problem = f"is wider than the input of {narrowest.name}, {narrowest.inputs}."
        raise UserError("adapter.rank", node["rank"], problem, "A block is a part of the input.")
