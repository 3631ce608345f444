"""Gradient attribution: a minibatch's gradient norm split over its tokens.

The gradient is a sum over tokens, g = Σ_t Σ_k f_kt ∇s_kt, with s = (log π, H, Σπ²) and f = ∂L/∂s. Hence

    |g| = Σ_t c_t,      c_t = Σ_k f_kt ⟨∇s_kt, g⟩ / |g|

exactly. ⟨∇s, g⟩ is the derivative of s along g, for all tokens at once: a central difference of two forward
passes, whose rounding shows in how far Σ c_t is from |g| (`Attribution.total`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tvo_cli.replay.minibatch_forces import MicroBatchForces, forces_of_minibatch, leave_learner_unchanged
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.run_settings import InnerLoopSettings
from tvo_cli.training.update.learner import Learner
from tvo_cli.training.update.minibatch_forward import forward_rows
from tvo_cli.training.update.minibatches import Minibatch

MOVE = 2e-4  # length of the finite step, as a share of |θ|


@dataclass(frozen=True, slots=True)
class TokenShare:
    """A token of a batch and its share of the gradient norm."""

    row: int
    position: int
    share: float  # c_t / |g|; negative where the token pulls against the rest
    force: float  # ∂L/∂log π
    ratio: float
    advantage: float


@dataclass(frozen=True, slots=True)
class GradientAttribution:
    """A minibatch's gradient norm and the tokens it comes from, largest |share| first."""

    norm: float
    total: float  # Σ c_t / |g|: 1 but for rounding
    sites: tuple[TokenShare, ...]
    responses: tuple[tuple[int, float], ...]  # row and its share, largest first


def attribute_gradient(
    learner: Learner, batch: RolloutBatch, minibatch: Minibatch, passes: InnerLoopSettings, most: int
) -> GradientAttribution:
    """Split the gradient norm of a minibatch at the present weights; nothing is changed, .grad is empty afterwards."""
    with leave_learner_unchanged(learner):
        pieces = forces_of_minibatch(learner, batch, minibatch, passes)
        gradient = [None if p.grad is None else p.grad.detach().clone() for p in learner.parameters]
        norm = _norm_of_attributed_gradient(gradient)
        if norm == 0.0:
            return GradientAttribution(0.0, 0.0, (), ())
        forward, backward_ = (_scores_along(learner, batch, pieces, passes, gradient, sign) for sign in (1.0, -1.0))
    step = 2.0 * MOVE * _norm_of_attributed_gradient([p.detach() for p in learner.parameters]) / norm
    shares: list[Tensor] = []
    for piece, ahead, behind in zip(pieces, forward, backward_):
        slopes = [(a - b) / step for a, b in zip(ahead, behind)]
        work = torch.stack([force.double() * slope for force, slope in zip(piece.forces, slopes)]).sum(0)
        shares.append(work / norm**2)
    return _rank_by_share(norm, pieces, shares, most)


@torch.no_grad()
def _scores_along(
    learner: Learner,
    batch: RolloutBatch,
    pieces: list[MicroBatchForces],
    passes: InnerLoopSettings,
    gradient: list[Tensor | None],
    sign: float,
) -> list[tuple[Tensor, ...]]:
    """Scores of every part at θ ± (MOVE·|θ|/|g|)·g, in float64."""
    start = [p.detach().clone() for p in learner.parameters]
    scale = sign * MOVE * _norm_of_attributed_gradient(start) / _norm_of_attributed_gradient(gradient)
    for parameter, direction in zip(learner.parameters, gradient):
        if direction is not None:
            parameter.add_(direction, alpha=scale)
    found = []
    for piece in pieces:
        _, scores = forward_rows(learner, batch, piece.rows, piece.tokens.share, passes.temperature)
        found.append(tuple(score.double() for score in scores))
    for parameter, value in zip(learner.parameters, start):
        parameter.copy_(value)
    return found


def _norm_of_attributed_gradient(tensors: list[Tensor] | list[Tensor | None]) -> float:
    return math.sqrt(sum(float(t.double().square().sum()) for t in tensors if t is not None))


def _rank_by_share(norm: float, pieces: list[MicroBatchForces], shares: list[Tensor], most: int) -> GradientAttribution:
    sites, responses = [], []
    for piece, share in zip(pieces, shares):
        tokens = piece.tokens
        ratio = (tokens.logp - tokens.old_logp).detach().exp()
        by_response = (share * tokens.mask).sum(1)
        responses += list(zip(piece.rows.tolist(), by_response.tolist()))
        for i, t in (tokens.mask & (share != 0)).nonzero().tolist():
            values = (share[i, t], piece.forces[0][i, t], ratio[i, t], tokens.advantage[i, t])
            sites.append(TokenShare(int(piece.rows[i]), t, *map(float, values)))
    sites.sort(key=lambda site: -abs(site.share))
    responses.sort(key=lambda pair: -abs(pair[1]))
    total = sum(float((share * piece.tokens.mask).sum()) for share, piece in zip(shares, pieces))
    return GradientAttribution(norm, total, tuple(sites[:most]), tuple(responses[:most]))
