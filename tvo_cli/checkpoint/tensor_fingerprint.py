"""A fingerprint of named tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor


def tensor_fingerprint(named: Mapping[str, Tensor]) -> str:
    """A fingerprint of named tensors: sha256 over names, shapes and bits."""
    return fingerprint_of_tensors((key, named[key]) for key in sorted(named))


def fingerprint_of_tensors(ordered: Iterable[tuple[str, Tensor]]) -> str:
    """The same of tensors that come one at a time, by rising name."""
    seen = hashlib.sha256()
    for key, tensor in ordered:
        value = tensor.detach().cpu().contiguous()
        seen.update(f"{key} {value.dtype} {list(value.shape)}".encode())
        seen.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return seen.hexdigest()
