"""CISPO: the importance weight is clipped, the update is not; every token keeps a gradient.

MiniMax 2025 (MiniMax-M1), arXiv:2506.13585. Changes GRPO at: surrogate, reduce.
"""

from __future__ import annotations

from torch import Tensor

from tvo_cli.maths.surrogates import clamped_weight_surrogate


def cispo(ratio: Tensor, advantage: Tensor, *, low: float, high: float) -> Tensor:
    """Gain with the gradient sg(clip(ρ, 1 − low, 1 + high)) Â ∇log π_θ, [B, T].

    The paper's w·Â·log π_θ has the same gradient; this one's value is w·Â, and neither value means anything.

    Fidelity: official code (verl).

    Args:
        ratio: ρ, [B, T].
        advantage: Â, [B, T], no gradient.
        low: the weight is at least 1 − low; the paper leaves this side open (infinity).
        high: the weight is at most 1 + high; infinity, with low, recovers ρÂ.
    """
    return clamped_weight_surrogate(ratio, advantage, cap=1 + high, floor=1 - low)
