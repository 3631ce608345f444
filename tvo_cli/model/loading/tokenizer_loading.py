"""The tokenizer of a model; no weights are read, and nothing of transformers' networks is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerFast

from tvo_cli.model.loading.loading_errors import unloadable_model
from tvo_cli.model.model_files.hub_reach import check_hub_answers
from tvo_cli.model.model_files.model_location import FRESH, location_and_options

PROBE = "7 + 3 = "
OF_THIS_LOADING = ("is_local", "local_files_only", "trust_remote_code", "revision")  # no part of a saved tokenizer
READING_ERRORS = (ImportError, OSError, ValueError, KeyError, RuntimeError)


def load_tokenizer(node: Any) -> PreTrainedTokenizerFast:
    """The tokenizer of the model that a node names; no weights are read."""
    if str(node["path"]) == FRESH:
        from tvo_cli.model.tiny_model import tiny_tokenizer

        return tiny_tokenizer()
    place, options = location_and_options(node)
    check_hub_answers(node, place)
    try:
        return tokenizer_of_place(place, options)
    except READING_ERRORS as error:
        raise unloadable_model(node["path"], place, error) from error


def tokenizer_of_place(place: str, options: dict[str, Any]) -> PreTrainedTokenizerFast:
    """AutoTokenizer, unless its class drops characters of a custom tokenizer that the plain one keeps."""
    tokenizer = AutoTokenizer.from_pretrained(place, **options)
    plain = Path(place, "tokenizer.json")
    if plain.is_file():
        direct = PreTrainedTokenizerFast.from_pretrained(place, **options)
        if _round_trip_of_loaded_tokenizer(tokenizer) != _round_trip_of_loaded_tokenizer(direct):
            tokenizer = direct
    tokenizer.padding_side = "left"
    for name in OF_THIS_LOADING:
        tokenizer.init_kwargs.pop(name, None)
    if tokenizer.pad_token_id is None and tokenizer.eos_token_id is not None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _round_trip_of_loaded_tokenizer(tokenizer: PreTrainedTokenizerFast) -> str:
    return str(tokenizer.decode(tokenizer(PROBE, add_special_tokens=False)["input_ids"]))
