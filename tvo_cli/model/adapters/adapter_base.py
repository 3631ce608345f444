"""The base of an adapter: the model whose frozen weights it stands beside, where it is, and whether it is the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tvo_cli.errors import UserError
from tvo_cli.model.model_files.model_location import FRESH, model_location
from tvo_cli.model.model_files.weights_fingerprint import stored_weights_fingerprint


@dataclass(frozen=True, slots=True)
class BaseModel:
    """The model whose frozen weights an adapter stands beside."""

    path: str  # as model.path names it
    revision: str | None
    quantise: str | None  # 4bit, or None
    fingerprint: str  # of its weights, see weights_fingerprint.py


def place_of_base(base: BaseModel, node: Any) -> str:
    """Where the base of an adapter is: as model.base names it, else as its folder does."""
    if named := str(node.get("base") or ""):
        if named.startswith((".", "/", "~")) and not Path(named).expanduser().is_dir():
            raise UserError("model.base", named, "no such folder.", "Name the folder of the adapter's base.")
        return named
    if base.path:
        return base.path
    problem = "does not say which model its adapter belongs to."
    raise UserError("model.path", node["path"], problem, "Name it: model.base=FOLDER.")


def check_same_base(base: BaseModel, found: str, node: Any) -> None:
    """Refuse an adapter beside other weights than those it was trained beside."""
    if base.fingerprint and found != base.fingerprint:
        place = place_of_base(base, node)
        problem = f"its adapter belongs to the weights {base.fingerprint[:16]}, and {place} holds {found[:16]}."
        raise UserError("model.path", node["path"], problem, "Put its base back there, or name it: model.base=FOLDER.")


def base_model(node: Any, network: torch.nn.Module) -> BaseModel:
    """The model that a node names, as the base of an adapter: found again from any working folder."""
    place, revision = model_location(node), node.get("revision")
    local = str(node["path"]) != FRESH and not str(node["path"]).startswith("packaged:") and Path(place).is_dir()
    named = str(Path(place).resolve()) if local else str(node["path"])
    found = stored_weights_fingerprint(place, network, revision)
    return BaseModel(named, None if local else revision, node.get("quantise"), found)
