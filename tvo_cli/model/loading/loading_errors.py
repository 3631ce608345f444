"""Errors of a model that cannot be loaded: what was wrong in one line, and what to do about it."""

from __future__ import annotations

from pathlib import Path

from tvo_cli.fetch.catalogue import fetch_remedy


def loading_error_line(error: Exception) -> str:
    """What was wrong with a model's files, in one line of what transformers raised."""
    lines = str(error).strip().splitlines()
    return f"cannot be loaded ({lines[0] if lines else type(error).__name__})"


def loading_remedy(place: str) -> str:
    """What to do about a model's location, folder or hub id, that nothing can be loaded from."""
    if Path(place).is_dir():
        return "The folder must hold a transformers causal LM with its tokenizer."
    return " ".join(("Check the id and the network, or give a local folder.", fetch_remedy(place))).strip()
