"""One recipe beside its authors' code: where that stands, how both are run, and how far they are apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from benchmarks.authors.random_batch import Outcome, RandomBatch, random_batch
from benchmarks.authors.released_code import Piece
from benchmarks.authors.stand_ins import DOUBLE_TORCH, in_double
from benchmarks.harness.record import Row

AGREED = 1e-9  # greatest difference, relative to the authors' greatest number, at which two are called the same
Pair = tuple[Outcome, Outcome]  # the authors', ours


@dataclass(frozen=True)
class Comparison:
    """What is compared for one recipe."""

    recipe: str
    released: Piece
    compare: Callable[[SimpleNamespace, RandomBatch], Pair]
    what: str  # the loss and gradient of what, with settings that are not the recipe's own
    needs: Mapping[str, Any] = field(default_factory=dict)  # names that the authors' code refers to
    differs: str = ""  # where it is known to differ from the authors' code, which `compare` leaves out or shows
    double: bool = True  # false: the code makes float32 by a method of tensors, which float64 beside it would break

    def row(self, checkouts: Path, seeds: range) -> Row:
        """The greatest differences over one random batch a seed."""
        code = self.released.load(checkouts, {"torch": DOUBLE_TORCH, **self.needs})
        with in_double() if self.double else nullcontext():
            apart = [_apart(*self.compare(code, random_batch(seed))) for seed in seeds]
        loss, gradient, moved = torch.tensor(apart, dtype=torch.float64).amax(0).tolist()  # not a number stays that
        return {
            "code": self.released.described,
            "commit": self.released.commit,
            "batches": len(seeds),
            "loss": loss,
            "gradient": gradient,
            "greatest": moved,
            "agrees": loss <= AGREED and gradient <= AGREED and moved > 0,
            "differs": self.differs,
        }


def _apart(theirs: Outcome, ours: Outcome) -> tuple[float, float, float]:
    loss = (theirs.loss - ours.loss).abs() / theirs.loss.abs().clamp(min=1.0)
    greatest = theirs.gradient.abs().max()
    gradient = (theirs.gradient - ours.gradient).abs().max() / greatest.clamp(min=torch.finfo(greatest.dtype).tiny)
    return loss.item(), ours.gradient.abs().max().item() if greatest == 0 else gradient.item(), greatest.item()
