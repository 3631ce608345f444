"""pass@k."""

from __future__ import annotations

import math


def pass_at_k(n: int, c: int, k: int) -> float:
    """1 − C(n−c, k)/C(n, k) = 1 − Π_{i=n−c+1…n} (1 − k/i): the chance of a correct one among k of n samples.

    c of the n are correct. The product cannot overflow. Chen et al., arXiv:2107.03374. k > n: ValueError.
    """
    if not 0 <= c <= n or k < 1:
        raise ValueError(f"pass@{k} of {c} correct in {n} samples")
    if k > n:
        raise ValueError(f"pass@{k} needs at least {k} samples of a problem, there are {n}")
    if n - c < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))
