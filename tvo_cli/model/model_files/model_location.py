"""Where a model is: a packaged or fetched folder, one of yours, a checkpoint of a run, a hub id. Nothing is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.fetch.fetched_models import SCHEME, cached_hub_folder, fetched_folder
from tvo_cli.model.model_files.policy_checkpoint import resolve_policy_checkpoint
from tvo_cli.nearest_names import closest_names

WEIGHTS = Path(__file__).parents[1] / "weights"
FRESH = "fresh"  # the embedded model before any training


def model_location(node: Any) -> str:
    """The folder, or the hub id, that a model node names; of the embedded start its name."""
    return FRESH if str(node["path"]) == FRESH else location_and_options(node)[0]


def location_and_options(node: Any) -> tuple[str, dict[str, Any]]:
    """Where to load from, and with which options."""
    path = str(node["path"])
    options: dict[str, Any] = {"trust_remote_code": False}
    if path.startswith("packaged:"):
        return str(_checked_model_folder(WEIGHTS / path.removeprefix("packaged:"), path)), options | {
            "local_files_only": True
        }
    if path.startswith(SCHEME):
        folder = fetched_folder(path, node.get("revision"))
        return str(_checked_model_folder(folder, path)), options | {"local_files_only": True}
    if Path(path).exists() or path.startswith((".", "/", "~", "outputs")):
        chosen = resolve_policy_checkpoint(path, str(node.get("checkpoint") or "last"))
        return str(_checked_model_folder(Path(chosen).expanduser(), path)), options | {"local_files_only": True}
    return path, options | ({"revision": node["revision"]} if node.get("revision") else {})


def _checked_model_folder(folder: Path, given: str) -> Path:
    """A local folder that holds a model, or the reason why it does not."""
    if not folder.is_dir():
        near = f"Did you mean the folder {found}? " if (found := nearest_model_folder(given)) else ""
        remedy = f"{near}Give a folder in the hub's format, or a hub id."
        raise UserError("model.path", given, "no such folder.", remedy)
    if is_adapter(folder):
        return folder
    for file in ("config.json", "tokenizer_config.json"):
        if not (folder / file).is_file():
            raise UserError("model.path", given, f"the folder has no {file}.", "Save model and tokenizer there.")
    if not list(folder.glob("*.safetensors")):
        pickled = list(folder.glob("*.bin")) + list(folder.glob("*.pt"))
        remedy = "Convert them to safetensors; pickles are never loaded." if pickled else "Save the model there."
        raise UserError("model.path", given, "the folder has no safetensors weights.", remedy)
    return folder


def folder_at_hand(node: Any) -> Path | None:
    """The folder of a model that is on this machine, a hub model's in the hub's cache; None where nothing is."""
    try:
        place = model_location(node)
    except UserError:
        return None
    found = place if Path(place).is_dir() else cached_hub_folder(str(node["path"]), node.get("revision"))
    return Path(found) if found else None


def is_adapter(folder: Path | str) -> bool:
    """Whether a model's location is an adapter's folder, which holds no model of its own."""
    return (Path(folder) / "adapter_config.json").is_file() and not (Path(folder) / "config.json").is_file()


def nearest_model_folder(path: str) -> str:
    """Return the folder beside a path whose name is nearly the path's; "" where there is none."""
    named = Path(path).expanduser()
    try:
        names = [one.name for one in named.parent.iterdir() if one.is_dir() and not one.name.startswith(".")]
    except OSError:
        return ""
    found = closest_names(named.name, names, n=1)
    return str(Path(path).parent / found[0]) if found else ""
