"""Log-probability, entropy and collision of chosen tokens, without ever holding the logits of a whole batch.

The three readings of a token come from the same row of logits z ∈ R^V, π = softmax(z):

    logp = log π(y)          ∂logp/∂z_v = 1[v = y] − π_v
    H    = −Σ π log π        ∂H/∂z_v    = −π_v (log π_v + H)        (nats)
    C    = Σ π²              ∂C/∂z_v    = 2 π_v (π_v − C)

Autograd would keep four arrays of V numbers a token for them; the closed forms need one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from tvo_cli.maths.nucleus import Nucleus, nucleus_entropy

CHUNK_BYTES = 64 * 2**20  # of float32 logits alive at once


class Scores(NamedTuple):
    """Log-probability, entropy, collision of given responses, each [B, T] float32, 0 off the mask; differentiable."""

    logp: Tensor  # log π(y_t | x, y_<t) at the given temperature, ≤ 0
    entropy: Tensor  # H[π(· | x, y_<t)] in nats, in [0, log V]
    collision: Tensor  # Σ_v π(v | x, y_<t)², in [1/V, 1]


class ScoresWithExtras(NamedTuple):
    """The log-probabilities' scores, and what else was asked for, each [B, T]."""

    scores: Scores
    nucleus_entropy: Tensor | None  # entropy inside the nucleus, in nats, differentiable
    covariance: Tensor | None  # Cov_π(π, log π), no gradient


class _TokenScores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        log_pi = torch.log_softmax(logits, dim=-1)
        pi = log_pi.exp()
        logp = log_pi.gather(-1, targets[:, None]).squeeze(-1)
        # π log π → 0 where π = 0, also where a logit is −inf and the product would be 0 · (−inf).
        entropy = -torch.linalg.vecdot(pi, log_pi.clamp(min=torch.finfo(log_pi.dtype).min))
        collision = torch.linalg.vecdot(pi, pi)
        ctx.save_for_backward(log_pi, targets, entropy, collision)
        return logp, entropy, collision

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_logp: Tensor, by_entropy: Tensor, by_collision: Tensor) -> tuple[Tensor, None]:
        log_pi, targets, entropy, collision = ctx.saved_tensors
        pi = log_pi.exp()
        # grad_z = π · [2 g_C (π − C) − g_H (log π + H) − g_logp] + g_logp · onehot(y)
        inner = log_pi.clamp(min=torch.finfo(log_pi.dtype).min) * (-by_entropy)[:, None]
        inner.addcmul_(pi, (2 * by_collision)[:, None])
        inner.sub_((by_logp + by_entropy * entropy + 2 * by_collision * collision)[:, None])
        grad = inner.mul_(pi)
        return grad.scatter_add_(-1, targets[:, None], by_logp[:, None]), None


def token_scores(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(log π(y), H, C) of each row: logits [N, V] float, targets [N] int64 → three [N]; first derivatives only."""
    logp, entropy, collision = _TokenScores.apply(logits, targets)  # type: ignore[no-untyped-call]
    return logp, entropy, collision


def covariance_of_prob_and_logprob(logits: Tensor) -> Tensor:
    """Cov_{v~π}(π(v), log π(v)) = Σ π² (log π + H) of each row: logits [N, V] float → [N], no gradient.

    The mean over sampled tokens of π(a)(log π(a) + H), by which a policy-gradient step with Â = 1 changes H
    (arXiv:2602.03392, where it is called N); 0 for the uniform and for the deterministic policy.
    """
    log_pi = torch.log_softmax(logits.detach(), dim=-1).clamp(min=torch.finfo(logits.dtype).min)
    pi = log_pi.exp()
    entropy = -torch.linalg.vecdot(pi, log_pi)
    covariance: Tensor = torch.linalg.vecdot(pi.square(), log_pi) + entropy * torch.linalg.vecdot(pi, pi)
    return covariance


@torch.no_grad()
def chunked_covariance_with_logprobs(
    head: Callable[[Tensor], Tensor],
    hidden: Tensor,
    temperature: float,
    vocabulary: int,
    chunk_bytes: int = CHUNK_BYTES,
) -> Tensor:
    """`covariance_of_prob_and_logprob` of head(hidden)/temperature in float32, hidden [N, H] → [N], in chunks."""
    rows = max(1, chunk_bytes // (4 * vocabulary))
    parts = [covariance_of_prob_and_logprob(head(part).float() / temperature) for part in hidden.split(rows)]
    return torch.cat(parts)


def chunked_token_scores(
    head: Callable[[Tensor], Tensor],
    hidden: Tensor,
    targets: Tensor,
    temperature: float,
    vocabulary: int,
    chunk_bytes: int = CHUNK_BYTES,
    nucleus: Nucleus | None = None,
) -> tuple[Tensor, ...]:
    """`token_scores` of head(hidden)/temperature in float32, `chunk_bytes` of logits at a time.

    hidden [N, H], targets [N] → three [N], and the entropy inside `nucleus` where there is one. With more
    than one chunk the logits are recomputed in the backward pass: one more matrix product buys a memory use that
    does not grow with N·V.
    """

    def readings(part: Tensor, chosen: Tensor) -> tuple[Tensor, ...]:
        logits = head(part).float() / temperature
        found = token_scores(logits, chosen)
        return found if nucleus is None else (*found, nucleus_entropy(torch.log_softmax(logits, dim=-1), nucleus))

    rows = max(1, chunk_bytes // (4 * vocabulary))
    if hidden.shape[0] <= rows:
        return readings(hidden, targets)
    parts = [
        checkpoint(readings, part, chosen, use_reentrant=False, preserve_rng_state=False)
        for part, chosen in zip(torch.split(hidden, rows), torch.split(targets, rows), strict=True)
    ]
    return tuple(torch.cat(column) for column in zip(*parts, strict=True))
