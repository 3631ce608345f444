"""What authors' code is given in place of the packages around it, most of which are forks of verl."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy
import torch
from torch import Tensor

from tvo_cli.types import Experience


class Settings(SimpleNamespace):
    """Settings that are read as attributes or by `get`."""

    def get(self, name: str, default: Any = None) -> Any:
        """A setting, or what is taken without it."""
        return getattr(self, name, default)


def rewards_at_the_end(experience: Experience) -> Tensor:
    """Each response's reward at its last token, 0 elsewhere, [B, T]."""
    last = torch.zeros_like(experience.old_logp)
    last[torch.arange(len(last)), experience.mask.sum(1) - 1] = experience.rewards.to(last.dtype)
    return last


@contextmanager
def in_double() -> Iterator[None]:
    """What is made of integers or of Python's numbers is float64 inside, theirs and ours: no rounding is compared."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def silent(*_: object, **__: object) -> None:
    """In place of `print`."""


def torch_with(**changed: Any) -> SimpleNamespace:
    """PyTorch with other things under some names: what a machine without a GPU lacks, or a wider dtype."""
    return SimpleNamespace(**{**vars(torch), **changed})


# Where the code asks for float32 it gets float64: what is compared is a formula, not its rounding.
DOUBLE_TORCH = torch_with(float32=torch.float64, float=torch.float64)
ON_CPU = torch_with(cuda=SimpleNamespace(current_device=lambda: "cpu"))
VERL: dict[str, Any] = {
    "np": numpy,
    "defaultdict": defaultdict,
    "print": silent,
}
