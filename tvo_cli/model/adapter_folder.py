"""The folder of an adapter, in peft's own format, with the base that it belongs to (base.json)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tvo_cli.errors import UserError
from tvo_cli.model.adapter import NAME, adapter_tensors, inject_adapter, restore_adapter
from tvo_cli.optional_packages import import_for

CONFIG, TENSORS, BASE = "adapter_config.json", "adapter_model.safetensors", "base.json"
PREFIX = "base_model.model."  # of every name in a file of peft


@dataclass(frozen=True, slots=True)
class BaseModel:
    """The model whose frozen weights an adapter stands beside."""

    path: str  # as model.path names it
    revision: str | None
    quantise: str | None  # 4bit, or None
    fingerprint: str  # of its weights, see weights_fingerprint.py


def is_adapter(folder: Path | str) -> bool:
    """Whether a folder holds an adapter and no model of its own."""
    return (Path(folder) / CONFIG).is_file() and not (Path(folder) / "config.json").is_file()


def save_adapter(network: nn.Module, base: BaseModel, folder: Path) -> None:
    """Write the adapter as peft does, and which base it belongs to."""
    folder.mkdir(parents=True, exist_ok=True)
    names = names_in_peft(network)
    named = {names[name]: value.detach().contiguous() for name, value in adapter_tensors(network).items()}
    save_file(named, folder / TENSORS, metadata={"format": "pt"})
    chosen: Any = network.peft_config[NAME]  # type: ignore[index]
    plain = chosen.to_dict() | {"base_model_name_or_path": base.path, "revision": base.revision, "inference_mode": True}
    plain = {key: sorted(value) if isinstance(value, set) else value for key, value in plain.items()}
    (folder / CONFIG).write_text(json.dumps(plain, indent=2, sort_keys=True, default=_plain_enum), encoding="utf-8")
    (folder / BASE).write_text(json.dumps(asdict(base), indent=2), encoding="utf-8")


def load_adapter(network: nn.Module, folder: Path) -> None:
    """Put the adapter of a folder beside the layers of a network."""
    peft = import_for("model.path", folder, "peft", "lora")
    inject_adapter(network, peft.LoraConfig.from_pretrained(str(folder)))
    try:
        restore_adapter(network, read_adapter_tensors(network, folder))
    except (KeyError, RuntimeError) as error:
        raise UserError("model.path", folder, f"its adapter does not fit its base ({error}).") from error


def read_adapter_tensors(network: nn.Module, folder: Path) -> dict[str, Tensor]:
    """The tensors of a folder, by the names they have in the network.

    Raises:
        KeyError: one is missing.
    """
    saved: Mapping[str, Tensor] = load_file(folder / TENSORS)
    return {name: saved[there] for name, there in names_in_peft(network).items()}


def names_in_peft(network: nn.Module) -> dict[str, str]:
    """By the network's name of a tensor of the adapter, its name in a file of peft."""
    peft = import_for("adapter", "lora", "peft", "lora")
    own = {value.data_ptr(): name for name, value in adapter_tensors(network).items()}
    found = peft.get_peft_model_state_dict(network, adapter_name=NAME, save_embedding_layers=False)
    return {own[value.data_ptr()]: f"{PREFIX}{name}" for name, value in found.items()}


def read_base(folder: Path) -> BaseModel:
    """The base of an adapter's folder; of one that another program wrote, what peft's file says."""
    try:
        if (folder / BASE).is_file():
            return BaseModel(**json.loads((folder / BASE).read_text(encoding="utf-8")))
        told = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        return BaseModel(str(told["base_model_name_or_path"]), told.get("revision"), None, "")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError("model.path", folder, f"does not say which model its adapter belongs to ({error}).") from error


def check_same_base(base: BaseModel, found: str, node: Any) -> None:
    """Refuse an adapter beside other weights than those it was trained beside."""
    if base.fingerprint and found != base.fingerprint:
        place = node.get("base") or base.path
        problem = f"its adapter belongs to the weights {base.fingerprint[:16]}, and {place} holds {found[:16]}."
        raise UserError("model.path", node["path"], problem, "Put its base back there, or name it: model.base=FOLDER.")


def _plain_enum(value: Any) -> Any:
    """peft's enumerations by their values."""
    return getattr(value, "value", str(value))
