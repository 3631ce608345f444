"""Fetched models on this machine: the folder of one, where it came from, and when it stands for a hub id."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.fetch.catalogue import CATALOGUE, fetchable_model
from tvo_cli.file_digest import file_sha256

SCHEME = "fetched:"  # of model.path


ORIGIN = "origin.json"  # written last: a folder that has it is whole


WEIGHTS = ("model.safetensors", "model.safetensors.index.json")


def cache_folder(name: str) -> Path:
    """Return where a fetched model lies: $TVO_CACHE/models/NAME, else below $XDG_CACHE_HOME/tvo or ~/.cache/tvo."""
    chosen, shared = os.environ.get("TVO_CACHE"), os.environ.get("XDG_CACHE_HOME")
    root = Path(chosen) if chosen else Path(shared or "~/.cache") / "tvo"
    try:
        return root.expanduser() / "models" / name
    except RuntimeError as error:
        raise UserError("TVO_CACHE", "", "there is no home folder to keep models in.", "Set TVO_CACHE.") from error


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


def fetched_folder(path: str, revision: str | None = None) -> Path:
    """Return the folder of `fetched:NAME`.

    Raises:
        UserError: it has not been fetched yet, no such model can be, or a revision is asked for: it has none.
    """
    model = fetchable_model(path.removeprefix(SCHEME))
    if revision:
        remedy = f"Leave it out, or take the hub's: model.path={model.hub_id}."
        raise UserError("model.revision", revision, f"{path} comes from one wheel and has no revisions.", remedy)
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


def damaged_fetched_files(folder: Path) -> list[str] | None:
    """Return the files of a fetched model that are not as they were written; None where nothing was fetched."""
    written = read_fetch_origin(folder).get("files")
    if not isinstance(written, dict):
        return None
    return [name for name, digest in written.items() if _sha256_if_there(folder / name) != digest]


def _sha256_if_there(path: Path) -> str | None:
    """The digest of a file that an earlier fetch may have left; None where there is none."""
    try:
        return file_sha256(path)
    except OSError:
        return None
