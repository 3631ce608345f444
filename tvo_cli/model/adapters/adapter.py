"""Low-rank adapters (LoRA, DoRA, MiSS) beside the frozen linear layers of a network, through peft (extra: lora).

    LoRA: W x + s·B A x        DoRA: m ⊙ (W + s·B A)/‖W + s·B A‖ · x, the norm of each row        s = α/r, or α/√r
    MiSS: W x + Bᵀ Σ_j x_j     x_j ∈ R^r the blocks of x, padded with zeros: W + [Bᵀ Bᵀ …], of rank r at most

A ∈ R^{r×in} starts at random and B ∈ R^{out×r} (of MiSS R^{r×out}) at 0: at first it is the bare network. The
network stays what it was, its class and its backbone included: only its linear layers are exchanged for peft's.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from tvo_cli.checkpoint.sharded_parameters import placed_as
from tvo_cli.checkpoint.tensor_slice import HeldTensor
from tvo_cli.errors import UserError
from tvo_cli.optional_packages import import_for

log = logging.getLogger("tvo")
NAME = "default"  # by which peft knows an adapter where nobody names one
AUTO = "auto"
MARKS = (".lora_", ".miss_")  # in the name of every parameter of an adapter
NAMES = {"lora": "LoRA", "dora": "DoRA", "miss": "MiSS"}


@dataclass(frozen=True, slots=True)
class AdapterSettings:
    """What a config's `adapter` says."""

    kind: str  # lora, dora or miss
    rank: int
    alpha: float  # of LoRA and DoRA, as the two below but the layers' names
    target_modules: tuple[str, ...]
    rslora: bool
    seed: int

    @classmethod
    def of(cls, node: Any) -> AdapterSettings | None:
        """Of a config's node; None where every weight trains."""
        if node["kind"] == "none":
            return None
        named = node["target_modules"]
        targets = (named,) if isinstance(named, str) else tuple(map(str, named))
        return cls(
            *(str(node["kind"]), int(node["rank"]), float(node.get("alpha", 0.0)), targets),
            *(bool(node.get("rslora", False)), int(node.get("seed", 0))),
        )


def attach_adapter(network: nn.Module, settings: AdapterSettings) -> None:
    """Freeze a network, or a backbone, and put an adapter beside its linear layers, in place."""
    chosen = _miss_config(network, settings) if settings.kind == "miss" else _lora_config(network, settings)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(settings.seed)
        inject_adapter(network, chosen)


def _lora_config(network: nn.Module, settings: AdapterSettings) -> Any:
    peft = import_for("adapter", settings.kind, "peft", "lora")
    return peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        target_modules=_target_modules(network, settings.target_modules),
        use_dora=settings.kind == "dora",
        use_rslora=settings.rslora,
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
    )


def _miss_config(network: nn.Module, settings: AdapterSettings) -> Any:
    targets = _target_modules(network, settings.target_modules)
    for name, layer in _adaptable_layers(network):
        if targets != "all-linear" and not any(f".{name}".endswith(f".{one}") for one in targets):
            continue
        if not isinstance(layer, nn.Linear):
            remedy = "Take adapter=lora, or name other layers: adapter.target_modules."
            raise UserError("adapter", "miss", f"peft's MiSS does not know {name} as a linear layer.", remedy)
        if layer.in_features < settings.rank:
            problem = f"is wider than the input of {name}, {layer.in_features}."
            raise UserError("adapter.rank", settings.rank, problem, "A block is a part of the input.")
    return miss_kind("adapter", "miss")(
        r=settings.rank, target_modules=targets, miss_dropout=0.0, bias="none", task_type="CAUSAL_LM"
    )


def miss_kind(key: str, value: object) -> Any:
    """peft's configuration of MiSS.

    Fidelity: official code (peft's implementation is what runs).

    Raises:
        UserError: the installed peft knows no MiSS.
    """
    peft = import_for(key, value, "peft", "lora")
    if not hasattr(peft, "MissConfig"):
        problem = f"the installed peft {peft.__version__} knows no MiSS."
        raise UserError(key, value, problem, "Run: pip install -U peft. Or take adapter=lora.")
    return peft.MissConfig


def inject_adapter(network: nn.Module, chosen: Any) -> None:
    """Put the adapter that a configuration of peft describes beside the layers of a frozen network, in float32."""
    peft = import_for("adapter", "lora", "peft", "lora")
    network.requires_grad_(False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="fan_in_fan_out")  # GPT-2's layers: peft sets it right by itself
        peft.inject_adapter_in_model(chosen, network, adapter_name=NAME)
    for parameter in adapter_tensors(network).values():
        parameter.data = parameter.data.float()  # a step of 1e-6 would vanish in a bfloat16 number


def log_adapter(network: nn.Module, settings: AdapterSettings) -> None:
    """Say how much trains: layers that peft does not know as linear (the experts of some mixtures) get no adapter."""
    trained = sum(p.numel() for p in adapter_tensors(network).values())
    whole = sum(p.numel() for p in network.parameters()) - trained
    layers = sum(hasattr(module, "base_layer") for module in network.modules())
    log.info(
        "adapter=%s: %s of rank %d beside %d layers; %s parameters train, %s are frozen",
        *(settings.kind, NAMES[settings.kind], settings.rank, layers, f"{trained:,}", f"{whole:,}"),
    )


def has_adapter(network: nn.Module) -> bool:
    """Whether an adapter was put into the network."""
    return hasattr(network, "peft_config")


def adapter_tensors(network: nn.Module) -> dict[str, nn.Parameter]:
    """The adapter's parameters, by the network's own names."""
    return {name: value for name, value in network.named_parameters() if any(mark in name for mark in MARKS)}


def restore_adapter(network: nn.Module, tensors: Mapping[str, HeldTensor]) -> None:
    """Put `adapter_tensors` back.

    Raises:
        KeyError: a tensor is missing, or is there without a place.
    """
    own = adapter_tensors(network)
    if own.keys() != tensors.keys():
        raise KeyError(f"tensors of another adapter: {sorted(own.keys() ^ tensors.keys())[:3]}")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(placed_as(tensors[name], parameter))


def _target_modules(network: nn.Module, asked: Sequence[str]) -> str | list[str]:
    """The layers as peft is told them; each name must be that of a linear layer of the backbone."""
    if tuple(asked) == (AUTO,):
        return "all-linear"
    layers = [name for name, _ in _adaptable_layers(network)]
    unknown = [one for one in asked if not any(f".{name}".endswith(f".{one}") for name in layers)]
    if unknown or not asked:
        known = ", ".join(sorted({name.rpartition(".")[2] for name in layers}))
        problem = "is no linear layer of this model's backbone." if asked else "names no layer."
        raise UserError("adapter.target_modules", (unknown or ["[]"])[0], problem, f"There are: {known}; or {AUTO}.")
    return sorted(asked)


def _adaptable_layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The linear layers by name, but the output head, which may be tied to the embedding."""
    head = network.get_output_embeddings() if isinstance(network, PreTrainedModel) else None
    kinds = (nn.Linear, Conv1D)
    return ((name, one) for name, one in network.named_modules() if isinstance(one, kinds) and one is not head)
