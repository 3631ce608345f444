"""Random streams of a training run. One seed, many names: a stream is a pure function of them, so none is carried.

The generators of python, numpy and torch, which a model or a method of yours may draw from, are seeded by
name too; those have a state, and a checkpoint holds it.
"""

from __future__ import annotations

import hashlib
import random

import numpy as np
import torch
from torch import Tensor


def rng_seed_from_names(seed: int, *names: object) -> int:
    """The seed of a stream: 63 bits that depend on the run's seed and the stream's names alone."""
    digest = hashlib.blake2b(repr((seed, *names)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def rng_from_names(seed: int, *names: object) -> torch.Generator:
    """A generator that depends on (seed, names) alone: no random state is carried between steps."""
    return torch.Generator().manual_seed(rng_seed_from_names(seed, *names))


def seed_generators(seed: int) -> None:
    """Seed the process's own generators, each by its name."""
    random.seed(rng_seed_from_names(seed, "python"))
    np.random.seed(rng_seed_from_names(seed, "numpy") % 2**32)
    torch.manual_seed(rng_seed_from_names(seed, "torch"))


def rng_state() -> dict[str, Tensor]:
    """The states of the process's own random generators."""
    version, words, spare = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    found = {
        "python": torch.tensor([version, *words]),
        "python_spare": torch.tensor([] if spare is None else [spare], dtype=torch.float64),
        "numpy": torch.tensor([*np.asarray(keys).tolist(), position, has_gauss]),
        "numpy_spare": torch.tensor([cached], dtype=torch.float64),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        found |= {f"cuda.{index}": one for index, one in enumerate(torch.cuda.get_rng_state_all())}
    return found


def set_rng_state(saved: dict[str, Tensor]) -> None:
    """Restore `rng_state`; generators of GPUs that are not here are left out."""
    version, *words = saved["python"].tolist()
    spare = saved["python_spare"].tolist()
    random.setstate((version, tuple(words), spare[0] if spare else None))
    *keys, position, has_gauss = saved["numpy"].tolist()
    cached = float(saved["numpy_spare"])
    np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), position, has_gauss, cached))
    torch.set_rng_state(saved["torch"])
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        if f"cuda.{index}" in saved:
            torch.cuda.set_rng_state(saved[f"cuda.{index}"], index)
