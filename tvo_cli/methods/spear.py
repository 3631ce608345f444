"""SPEAR: which tokens of kept good responses learn, when they are imitated once more.

Qin et al. 2025, "Learn the ropes, then trust the wins: self-imitation with progressive exploration",
arXiv:2509.22601. Changes Dr.GRPO at: replay (`tvo_cli.rollout.SelfImitation`), clip width, weight.
"""

from __future__ import annotations

from torch import Tensor

from tvo_cli.methods.clip_cov import clip_cov
from tvo_cli.types import Tokens


def spear(tokens: Tokens, *, share: float, low: float, high: float, clip_low: float, clip_high: float) -> Tensor:
    """Clip-Cov's weight over a minibatch of kept responses, with bounds of its own, [B, T].

    It is a function of its own, though it only calls `clip_cov`, because its name stands in the config of every run of
    SPEAR: another name there is another fingerprint, and such a run could not be resumed.

    Fidelity: official code (its buffer holds the same responses step by step and draws as many of the same, its replay
    has the same loss and gradient to 1e-12 on random batches where all candidates of Clip-Cov are chosen. There a
    response below the median ends the draw in an error of shapes, the threshold of the advantage is never read,
    `tolerance` is 10 at most, and with dynamic micro-batches the batch's own responses are forwarded in place of those
    kept. Left out: its bonus for tool calls, the filters of its base for garbled and cut responses and for the quarter
    of groups with the least spread, a sampler's correction of kept responses).

    Args:
        tokens: the whole minibatch, with Â of the recalibrated rewards.
        share: of all tokens that do not learn; 0 recovers weight 1.
        low: candidates have a larger covariance, nats.
        high: candidates have a smaller covariance, nats.
        clip_low: the surrogate's.
        clip_high: the surrogate's.
    """
    return clip_cov(tokens, share=share, low=low, high=high, clip_low=clip_low, clip_high=clip_high)
