"""A fingerprint of named tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def tensor_fingerprint(named: Mapping[str, Tensor]) -> str:
    """A fingerprint of named tensors: sha256 over names, shapes and bits."""
    seen = hashlib.sha256()
    for key in sorted(named):
        value = named[key].detach().cpu().contiguous()
        seen.update(f"{key} {value.dtype} {list(value.shape)}".encode())
        seen.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return seen.hexdigest()
