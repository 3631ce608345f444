"""Fingerprints of a model's files: of all of a folder, and of the weights that an adapter stands beside."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor, nn

from tvo_cli.checkpoint.tensor_fingerprint import fingerprint_of_tensors, tensor_fingerprint
from tvo_cli.model.model_files.model_location import FRESH

WHOLE = 4 * 2**30  # bytes of weights that are read whole; of more, sizes and headers
HEADER = 2**20  # bytes at the start of a safetensors file that hold its names, shapes and first values


def weights_fingerprint(path: str) -> str:
    """sha256 over config, tokenizer and weights of a local folder, its first 16 letters; a hub id has none."""
    folder = Path(path).expanduser()
    if not folder.is_dir():
        return ""
    weights = sorted(folder.glob("*.safetensors"))
    whole = sum(file.stat().st_size for file in weights) <= WHOLE
    total = hashlib.sha256()
    for file in [*sorted(folder.glob("*.json")), *weights]:
        total.update(f"{file.name} {file.stat().st_size}".encode())
        with file.open("rb") as content:
            total.update(hashlib.file_digest(content, "sha256").digest() if whole else content.read(HEADER))
    return total.hexdigest()[:16]


def stored_weights_fingerprint(place: str, network: nn.Module, revision: str | None = None) -> str:
    """sha256 over the tensors of a model's files as they are stored, whatever the precision they are loaded in.

    Of a hub id the files that were downloaded are read. Where there are none, it is that of the network's tensors.
    """
    files = _weight_files(place, revision)
    return fingerprint_of_tensors(_stored_tensors(files)) if files else tensor_fingerprint(network.state_dict())


def _weight_files(place: str, revision: str | None) -> list[Path]:
    """The files that a fingerprint of weights is taken of: the model's safetensors."""
    if place == FRESH:  # a folder of that name is none of its files
        return []
    folder = Path(place).expanduser()
    if not folder.is_dir():
        folder = _downloaded_weights_folder(place, revision)
    return sorted(folder.glob("model*.safetensors")) or sorted(folder.glob("*.safetensors"))


def _downloaded_weights_folder(place: str, revision: str | None) -> Path:
    """The hub's cache folder whose weight files a fingerprint is taken of, without asking the hub."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(place, revision=revision, local_files_only=True))
    except (OSError, ValueError):  # nothing was downloaded: the embedded start
        return Path("/nowhere")


def _stored_tensors(files: list[Path]) -> Iterator[tuple[str, Tensor]]:
    """Every tensor with its name, by rising name, one in memory at a time: pages count as long as a file is open."""
    from safetensors import safe_open

    place: dict[str, Path] = {}
    for file in files:
        with safe_open(file, framework="pt") as content:
            place |= dict.fromkeys(content.keys(), file)
    for name in sorted(place):
        with safe_open(place[name], framework="pt") as content:
            yield name, content.get_tensor(name)
