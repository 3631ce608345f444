"""Which weights a run began from: the path given, their digest, and in what they differ from an original."""

from __future__ import annotations

import logging
from typing import Any

from tvo_cli.fetch.fetched_models import cached_hub_folder, read_fetch_origin
from tvo_cli.model.model_files.model_location import model_location
from tvo_cli.model.model_files.weights_fingerprint import weights_fingerprint

log = logging.getLogger("tvo")


def model_identity(node: Any) -> dict[str, str | None]:
    """Path, weights (a digest of the files, also of a cached hub model) and, of a fetched model, what it is."""
    path, place = str(node["path"]), model_location(node)
    origin = read_fetch_origin(place)
    folder = cached_hub_folder(path, node.get("revision")) or place
    known: dict[str, str | None] = {"path": path, "weights": weights_fingerprint(folder) or node.get("revision")}
    return known | ({"origin": f"{origin['requirement']}: {origin['note']}"} if origin else {})


def warn_of_fetched_weights(node: Any) -> None:
    """Say that the weights are not the hub's, where they are not."""
    if origin := read_fetch_origin(model_location(node)):
        log.warning(
            "model.path=%s: the model of %s, not the one of the hub: %s; compare it with runs of the same weights only",
            *(node["path"], origin["requirement"], origin["note"]),
        )
