"""Whether the hub answers for a model that is not on this machine: asked once, before the retries of its library."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.fetch.catalogue import fetch_remedy
from tvo_cli.model.model_files.model_location import nearest_model_folder

CACHED = ("model.safetensors", "model.safetensors.index.json", "config.json", "tokenizer_config.json")
TRIES, PAUSE, TIMEOUT = 2, 2.0, 5.0  # seconds


def check_hub_answers(node: Any, place: str) -> None:
    """Refuse a hub id of which nothing is in the cache and for which the hub does not answer.

    Raises:
        UserError: it does not; a folder of nearly that name is said.
    """
    if Path(place).exists() or _is_cached(place, node.get("revision")):
        return
    if trouble := _trouble_with_hub(place, node.get("revision")):
        near = f"Did you mean the folder {found}? " if (found := nearest_model_folder(place)) else ""
        remedy = f"{near}Check the id and the network, or give a local folder. {fetch_remedy(place)}".strip()
        raise UserError(
            "model.path", node["path"], f"is no folder, and no model in the hub's cache; {trouble}.", remedy
        )


def _is_cached(place: str, revision: str | None) -> bool:
    """Whether the hub need not be asked, for the model is in its cache."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return any(isinstance(try_to_load_from_cache(place, file, revision=revision), str) for file in CACHED)
    except HFValidationError:
        return False


@cache
def _trouble_with_hub(hub_id: str, revision: str | None) -> str:
    """Return why the hub cannot give a model; "" where it answers, with whatever it then says of the model."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    trouble = ""
    for left in reversed(range(TRIES)):
        try:
            get_hf_file_metadata(hf_hub_url(hub_id, "config.json", revision=revision), timeout=TIMEOUT)
            return ""
        except Exception as error:  # of whichever HTTP library the hub's library stands on
            known = _answer_in_words(error)
            if known is not None:
                return known
            trouble = f"the hub cannot be reached ({type(error).__name__})"
            time.sleep(PAUSE * bool(left))
    return trouble


def _answer_in_words(error: Exception) -> str | None:
    """Return what an error of the hub's library says of the id; "" for an answer, None where nobody answered."""
    from huggingface_hub import errors

    words = (
        (errors.HFValidationError, "a hub id is OWNER/NAME"),
        (errors.OfflineModeIsEnabled, "HF_HUB_OFFLINE is set"),
        (errors.GatedRepoError, ""),
        (errors.RepositoryNotFoundError, "the hub has no such model, or it is private"),
        (errors.HfHubHTTPError, ""),
    )
    return next((said for kind, said in words if isinstance(error, kind)), None)
