"""The folder of an adapter, in peft's own format, with the base that it belongs to (base.json)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tvo_cli.errors import UserError
from tvo_cli.model.adapters.adapter import NAME, adapter_tensors, inject_adapter, miss_kind, restore_adapter
from tvo_cli.model.adapters.adapter_base import BaseModel
from tvo_cli.optional_packages import import_for

CONFIG, TENSORS, BASE = "adapter_config.json", "adapter_model.safetensors", "base.json"
DROPOUTS = {"LORA": "lora_dropout", "MISS": "miss_dropout"}  # by peft's name of a kind
PREFIX = "base_model.model."  # of every name in a file of peft
NOT_READ = ("modules_to_save", "trainable_token_indices", "layer_replication")  # of peft's file: more than A and B
READING_ERRORS = (OSError, KeyError, ValueError, TypeError, RuntimeError, SafetensorError)


def save_adapter(network: nn.Module, base: BaseModel, folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write an adapter's tensors, by the network's names, as peft does, and which base it belongs to."""
    folder.mkdir(parents=True, exist_ok=True)
    names = names_in_peft(network)
    named = {names[name]: value.detach().contiguous() for name, value in tensors.items()}
    save_file(named, folder / TENSORS, metadata={"format": "pt"})
    chosen: Any = network.peft_config[NAME]  # type: ignore[index]
    plain = chosen.to_dict() | {"base_model_name_or_path": base.path, "revision": base.revision, "inference_mode": True}
    plain = {key: sorted(value) if isinstance(value, set) else value for key, value in plain.items()}
    (folder / CONFIG).write_text(json.dumps(plain, indent=2, sort_keys=True, default=_plain_enum), encoding="utf-8")
    (folder / BASE).write_text(json.dumps(asdict(base), indent=2), encoding="utf-8")


def load_adapter(network: nn.Module, folder: Path) -> None:
    """Put the adapter of a folder beside the layers of a network.

    Raises:
        UserError: it is no LoRA, DoRA or MiSS, trains more than that, cannot be read, or does not fit.
    """
    peft = import_for("model.path", folder, "peft", "lora")
    kind, dropout = _kind_of_low_rank_alone(folder)
    config = miss_kind("model.path", folder) if kind == "MISS" else peft.LoraConfig
    try:
        chosen = config.from_pretrained(str(folder))
        setattr(chosen, dropout, 0.0)  # of another program's training: it would act on every forward here
        inject_adapter(network, chosen)
        restore_adapter(network, read_adapter_tensors(network, folder))
    except READING_ERRORS as error:
        raise UserError("model.path", folder, f"its adapter cannot be put beside its base ({error}).") from error


def _kind_of_low_rank_alone(folder: Path) -> tuple[str, str]:
    """peft's name of an adapter's kind and of its dropout; one of which something would be left out is refused.

    So is one without safetensors.
    """
    told = _read_peft_config(folder)
    kind = str(told.get("peft_type"))
    if kind not in DROPOUTS:
        remedy = "peft's scripts/convert-bone-to-miss.py makes a MiSS of it." if kind == "BONE" else ""
        problem = f"holds an adapter of the kind {kind}; LoRA, DoRA and MiSS are read."
        raise UserError("model.path", folder, problem, remedy)
    more = [key for key in NOT_READ if told.get(key)] + ["bias"] * (told.get("bias", "none") != "none")
    if more:
        problem = f"its adapter trains more than low-rank products: {more[0]}={told[more[0]]}."
        raise UserError("model.path", folder, problem, "Merge it with the program that made it.")
    if not (folder / TENSORS).is_file():
        remedy = "Save it as safetensors; pickles are never loaded."
        raise UserError("model.path", folder, f"the folder has no {TENSORS}.", remedy)
    return kind, DROPOUTS[kind]


def _read_peft_config(folder: Path) -> dict[str, Any]:
    """Peft's file of an adapter; empty where it is no mapping.

    Raises:
        UserError: it cannot be read.
    """
    try:
        told = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError("model.path", folder, f"its {CONFIG} cannot be read ({error}).") from error
    return told if isinstance(told, dict) else {}


def read_adapter_tensors(network: nn.Module, folder: Path) -> dict[str, Tensor]:
    """The tensors of a folder, by the names they have in the network.

    Raises:
        KeyError: one is missing, or is there without a place in the network.
    """
    saved: Mapping[str, Tensor] = load_file(folder / TENSORS)
    names = names_in_peft(network)
    if left_out := saved.keys() - set(names.values()):
        raise KeyError(f"tensors without a place in it: {sorted(left_out)[:3]}")
    return {name: saved[there] for name, there in names.items()}


def names_in_peft(network: nn.Module) -> dict[str, str]:
    """The names of an adapter's tensors in a file of its folder, which are peft's, by the network's own names."""
    peft = import_for("adapter", "lora", "peft", "lora")
    own = {value.data_ptr(): name for name, value in adapter_tensors(network).items()}
    found = peft.get_peft_model_state_dict(network, adapter_name=NAME, save_embedding_layers=False)
    return {own[value.data_ptr()]: f"{PREFIX}{name}" for name, value in found.items()}


def read_base(folder: Path) -> BaseModel:
    """The base of an adapter's folder; of one that another program wrote, what peft's file says."""
    try:
        if (folder / BASE).is_file():
            return BaseModel(**json.loads((folder / BASE).read_text(encoding="utf-8")))
        told = _read_peft_config(folder)
        return BaseModel(str(told.get("base_model_name_or_path") or ""), told.get("revision"), None, "")
    except (OSError, ValueError, TypeError) as error:
        raise UserError("model.path", folder, f"its {BASE} cannot be read ({error}).") from error


def _plain_enum(value: Any) -> Any:
    """peft's enumerations by their values."""
    return getattr(value, "value", str(value))
