"""The reading diffusion spectral entropy beside its authors' package: numbers, which need no gradient."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy
import torch

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import Outcome, RandomBatch
from benchmarks.authors.released_code import Released
from tvo_cli.stability.spectral_entropy import diffusion_spectral_entropy

REPOSITORY, COMMIT = "ChenLiu-1996/DiffusionSpectralEntropy", "dc20ffd2153ff7f1f55d6ca8d06586c98bfbbba5"
CODE = Released(
    REPOSITORY,
    COMMIT,
    "dse_dsmi/dse.py",
    ("diffusion_spectral_entropy",),
    beside=(
        Released(REPOSITORY, COMMIT, "dse_dsmi/diffusion.py", ("compute_diffusion_matrix",)),
        Released(REPOSITORY, COMMIT, "dse_dsmi/information_utils.py", ("exact_eigvals",)),
    ),
)
KINDS = [(width, time) for width in (1.0, 4.0, 10.0) for time in (1, 2)]  # 10 and 1 are the code's own
POINTS = 48


def distances(points: Any) -> Any:
    """Euclidean distances, in place of scikit-learn's."""
    return numpy.linalg.norm(points[:, None] - points[None], axis=-1)


def entropies(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """The entropy of random points at several widths and times."""
    points = batch.logits.flatten(0, 1)[:POINTS]
    found = [code.diffusion_spectral_entropy(points.numpy(), width, time) for width, time in KINDS]
    theirs = torch.tensor(found, dtype=torch.float64)
    ours = torch.tensor([diffusion_spectral_entropy(points, *kind) for kind in KINDS], dtype=torch.float64)
    return Outcome(theirs.mean(), theirs), Outcome(ours.mean(), ours)


COMPARISONS = [
    Comparison(
        "(reading) spectral_entropy",
        CODE,
        entropies,
        "entropies of random points in place of a gradient, their mean in place of a loss",
        {"np": numpy, "pairwise_distances": distances},
    )
]
