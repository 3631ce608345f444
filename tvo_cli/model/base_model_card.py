"""The model that a run starts from, as a card states it: name on the hub, licence, and how its weights differ."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tvo_cli.fetch.fetched_models import read_fetch_origin
from tvo_cli.model.model_files.model_location import FRESH, folder_at_hand

LICENCE_FILE = re.compile(r"(licen[cs]e|notice|copying)([-_]\w+)*(\.(?!json$|py$)\w+)?", re.IGNORECASE)
HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
LICENCE_KEYS = ("license", "license_name", "license_link")  # of a card's head, in the hub's spelling
CARD = "README.md"
SNAPSHOT = re.compile(r"/models--(.+?)--([^/]+)/snapshots/([0-9a-f]{40})$")  # of the hub's cache
TIMEOUT = 5.0  # seconds in which the hub says which files there are


@dataclass(frozen=True, slots=True)
class BaseOrigin:
    """What is known of a start model, without a path of this machine."""

    hub_id: str  # its own, else of what its card says that it was made from; "" where none is known
    name: str  # what a reader may call it
    note: str  # in what the weights differ from the hub's; "" where they do not
    licence: Mapping[str, str]  # LICENCE_KEYS; empty where the base states none
    licence_files: tuple[Path, ...]  # its texts

    @property
    def is_made_from_hub_model(self) -> bool:
        """Whether the hub id is that of an ancestor, and the weights are others."""
        return self.hub_id not in ("", self.name)


def base_origin(node: Any) -> BaseOrigin:
    """What the folder of a config's `model`, or its hub id, says of itself."""
    path = str(node["path"])
    if path == FRESH:
        return BaseOrigin("", "the embedded model with random weights", "", {}, ())
    folder = folder_at_hand(node)
    if folder:
        bring_licence(folder)
    head, origin = read_base_card_head(folder), read_fetch_origin(folder) if folder else {}
    own, ancestor = own_hub_id(path, folder), _card_text(head.get("base_model"))
    return BaseOrigin(
        own or ancestor,
        own or _local_model_name(path, ancestor),
        str(origin.get("note") or ""),
        _licence(head, origin, folder),
        _licence_files(folder),
    )


def bring_licence(folder: Path) -> None:
    """Put the card and the licence's texts beside weights in the hub's cache, of their own commit: loading brings none.

    Nothing is asked offline, of any other folder, or where the card is there. What the hub does not give is not there.
    """
    from huggingface_hub import HfApi, constants, hf_hub_download

    found = SNAPSHOT.search(folder.absolute().as_posix())
    if found is None or constants.HF_HUB_OFFLINE or (folder / CARD).exists():
        return
    hub_id, commit = f"{found[1]}/{found[2]}", found[3]
    with suppress(Exception):  # of whichever network library, or a disk that is only read
        listed = HfApi().model_info(hub_id, revision=commit, timeout=TIMEOUT).siblings or ()
        names = [one.rfilename for one in listed if LICENCE_FILE.fullmatch(one.rfilename) or one.rfilename == CARD]
        for name in sorted(names, key=lambda name: (name == CARD, name)):  # the card last: it says that all is there
            hf_hub_download(hub_id, name, revision=commit, cache_dir=folder.parents[2], etag_timeout=TIMEOUT)


def own_hub_id(path: str, folder: Path | None) -> str:
    """The hub id of these very weights, by where they are or what was fetched; "" where they were made from others."""
    origin = read_fetch_origin(folder) if folder else {}
    return str(origin.get("hub_id") or _hub_id_of_path(path, folder))


def _local_model_name(path: str, ancestor: str) -> str:
    """What a model without a hub id of its own is called: the last part of its path, and the base in its card."""
    if path.startswith("packaged:"):
        return "the embedded model"
    return f"a local folder, {Path(path).name}" + (f", which was made from {ancestor}" if ancestor else "")


def read_base_card_head(folder: Path | None) -> dict[str, Any]:
    """The YAML head of a folder's README.md; empty where there is none that can be read."""
    try:
        text = (folder / CARD).read_text(encoding="utf-8") if folder else ""
        found = yaml.safe_load(text.split("\n---", 1)[0].removeprefix("---")) if text.startswith("---") else {}
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _hub_id_of_path(path: str, folder: Path | None) -> str:
    """The hub id that a path is, or whose snapshot in the hub's cache it is."""
    cached = re.search(r"models--(.+?)--([^/]+)/snapshots/", f"{folder}/")
    if cached:
        return f"{cached[1]}/{cached[2]}"
    return path if HUB_ID.fullmatch(path) and not Path(path).exists() else ""


def _licence(head: Mapping[str, Any], origin: Mapping[str, Any], folder: Path | None) -> dict[str, str]:
    """The licence that the card of a base states, else its origin.json, else its config."""
    stated = {key: _card_text(head.get(key)) for key in LICENCE_KEYS if _card_text(head.get(key))}
    found = _card_text(origin.get("licence")) or _card_text(_config_of_folder(folder).get("license"))
    return stated or ({"license": found.lower()} if found else {})


def _config_of_folder(folder: Path | None) -> dict[str, Any]:
    """The config.json of a base's folder, in which its licence may stand; empty where it cannot be read."""
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8")) if folder else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _licence_files(folder: Path | None) -> tuple[Path, ...]:
    """The files of a base's folder that hold its licence's text."""
    files = folder.iterdir() if folder else iter(())
    return tuple(sorted(one for one in files if LICENCE_FILE.fullmatch(one.name) and one.is_file()))


def _card_text(value: Any) -> str:
    """A text, or the only one of a list; nothing of what names a place of a machine."""
    found = value[0] if isinstance(value, list) and len(value) == 1 else value
    return found if isinstance(found, str) and not found.startswith(("/", "~")) else ""
