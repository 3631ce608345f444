"""Whose gradient it is: a minibatch's gradient norm split over its tokens, and where a NaN came from.

The gradient is a sum over tokens, g = Σ_t Σ_k f_kt ∇s_kt, with s = (log π, H, Σπ²) and f = ∂L/∂s. Hence

    |g| = Σ_t c_t,      c_t = Σ_k f_kt ⟨∇s_kt, g⟩ / |g|

exactly. ⟨∇s, g⟩ is the derivative of s along g, for all tokens at once: a central difference of two forward
passes, whose rounding shows in how far Σ c_t is from |g| (`Attribution.total`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from tvo_cli.training import rng
from tvo_cli.training.backward import backward, forces_on
from tvo_cli.training.batch import Batch, Minibatch
from tvo_cli.training.forward import forwarded, seen
from tvo_cli.training.inner_loop import InnerLoop
from tvo_cli.training.learner import Learner
from tvo_cli.training.update import not_finite
from tvo_cli.types import Tokens

MOVE = 2e-4  # length of the finite step, as a share of |θ|


@dataclass(frozen=True, slots=True)
class Site:
    """A token of a batch, and its share of something."""

    row: int
    position: int
    share: float  # c_t / |g|; negative where the token pulls against the rest
    force: float  # ∂L/∂log π
    ratio: float
    advantage: float


@dataclass(frozen=True, slots=True)
class Attribution:
    """A minibatch's gradient norm and the tokens it comes from, largest |share| first."""

    norm: float
    total: float  # Σ c_t / |g|: 1 but for rounding
    sites: tuple[Site, ...]
    responses: tuple[tuple[int, float], ...]  # row and its share, largest first


@dataclass(frozen=True, slots=True)
class Trouble:
    """Where something that is not finite came in: the first link of the chain that is broken."""

    what: str  # reward, log-prob, ratio, loss part, force, gradient …
    row: int  # −1: no single response
    position: int  # −1: the whole response
    detail: str


@dataclass(slots=True)
class _Pieces:
    """Tokens and forces of one micro-batch."""

    rows: Tensor
    tokens: Tokens
    forces: tuple[Tensor, ...]


def attribute(learner: Learner, batch: Batch, minibatch: Minibatch, passes: InnerLoop, most: int) -> Attribution:
    """Split the gradient norm of a minibatch at the present weights; nothing is changed, .grad is empty afterwards."""
    with _undisturbed(learner):
        pieces = _forces(learner, batch, minibatch, passes)
        gradient = [None if p.grad is None else p.grad.detach().clone() for p in learner.parameters]
        norm = _length(gradient)
        if norm == 0.0:
            return Attribution(0.0, 0.0, (), ())
        forward, backward_ = (_scores_along(learner, batch, pieces, passes, gradient, sign) for sign in (1.0, -1.0))
    step = 2.0 * MOVE * _length([p.detach() for p in learner.parameters]) / norm
    shares: list[Tensor] = []
    for piece, ahead, behind in zip(pieces, forward, backward_):
        slopes = [(a - b) / step for a, b in zip(ahead, behind)]
        work = torch.stack([force.double() * slope for force, slope in zip(piece.forces, slopes)]).sum(0)
        shares.append(work / norm**2)
    return _ranked(norm, pieces, shares, most)


def find_trouble(learner: Learner, batch: Batch, minibatch: Minibatch, passes: InnerLoop) -> list[Trouble]:
    """What is not finite in a minibatch, followed back to its cause; empty when everything is."""
    rows = minibatch.rows
    if what := not_finite(batch, rows):
        return _in_batch(batch, rows, what)
    with _undisturbed(learner):
        pieces = _forces(learner, batch, minibatch, passes)
        found = [trouble for piece in pieces for trouble in _in_tokens(learner, piece)]
        return found or _in_gradient(learner, batch, minibatch, passes)


@contextmanager
def _undisturbed(learner: Learner) -> Iterator[None]:
    """Weights and streams as they were, no gradients left."""
    weights, drawn = [p.detach().clone() for p in learner.parameters], rng.state()
    learner.optimizer.zero_grad(set_to_none=True)
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, value in zip(learner.parameters, weights):
                parameter.copy_(value)
        learner.optimizer.zero_grad(set_to_none=True)
        rng.restore(drawn)


def _forces(learner: Learner, batch: Batch, minibatch: Minibatch, passes: InnerLoop) -> list[_Pieces]:
    """The minibatch's gradient into .grad; tokens and forces of each part."""
    pieces = []
    for rows, tokens, scores in forwarded(learner, batch, minibatch.parts, passes.temperature, minibatch.seed):
        forces = forces_on(learner.algorithm.objective(tokens), tokens)
        backward(scores, forces)
        pieces.append(_Pieces(rows, tokens, forces))
    return pieces


@torch.no_grad()
def _scores_along(
    learner: Learner, batch: Batch, pieces: list[_Pieces], passes: InnerLoop, gradient: list[Tensor | None], sign: float
) -> list[tuple[Tensor, ...]]:
    """Scores of every part at θ ± (MOVE·|θ|/|g|)·g, in float64."""
    start = [p.detach().clone() for p in learner.parameters]
    scale = sign * MOVE * _length(start) / _length(gradient)
    for parameter, direction in zip(learner.parameters, gradient):
        if direction is not None:
            parameter.add_(direction, alpha=scale)
    found = []
    for piece in pieces:
        _, scores = seen(learner, batch, piece.rows, piece.tokens.share, passes.temperature)
        found.append(tuple(score.double() for score in scores))
    for parameter, value in zip(learner.parameters, start):
        parameter.copy_(value)
    return found


def _length(tensors: list[Tensor] | list[Tensor | None]) -> float:
    return math.sqrt(sum(float(t.double().square().sum()) for t in tensors if t is not None))


def _ranked(norm: float, pieces: list[_Pieces], shares: list[Tensor], most: int) -> Attribution:
    sites, responses = [], []
    for piece, share in zip(pieces, shares):
        tokens = piece.tokens
        ratio = (tokens.logp - tokens.old_logp).detach().exp()
        by_response = (share * tokens.mask).sum(1)
        responses += list(zip(piece.rows.tolist(), by_response.tolist()))
        for i, t in (tokens.mask & (share != 0)).nonzero().tolist():
            values = (share[i, t], piece.forces[0][i, t], ratio[i, t], tokens.advantage[i, t])
            sites.append(Site(int(piece.rows[i]), t, *map(float, values)))
    sites.sort(key=lambda site: -abs(site.share))
    responses.sort(key=lambda pair: -abs(pair[1]))
    total = sum(float((share * piece.tokens.mask).sum()) for share, piece in zip(shares, pieces))
    return Attribution(norm, total, tuple(sites[:most]), tuple(responses[:most]))


def _in_batch(batch: Batch, rows: Tensor, what: str) -> list[Trouble]:
    experience = batch.experience
    if what == "reward":
        values = experience.rewards[rows].tolist()
        broken = (~torch.isfinite(experience.rewards[rows])).nonzero().flatten().tolist()
        return [Trouble(what, int(rows[i]), -1, f"the reward is {values[i]}") for i in broken]
    return _at(what, batch.readings()[what], experience.mask, rows)


def _at(what: str, values: Tensor, mask: Tensor, rows: Tensor) -> list[Trouble]:
    broken = (mask[rows] & ~torch.isfinite(values[rows])).nonzero().tolist()
    return [Trouble(what, int(rows[i]), t, f"it is {float(values[rows[i], t])}") for i, t in broken]


def _in_tokens(learner: Learner, piece: _Pieces) -> list[Trouble]:
    """Links of the chain log π → ratio → loss → force, the first broken one."""
    tokens, everyone = piece.tokens, torch.arange(len(piece.rows))
    with torch.no_grad():
        ratio = torch.where(tokens.mask, tokens.logp - tokens.old_logp, 0.0).exp()
        parts = learner.algorithm.objective(tokens).parts
    links = {"log-prob": tokens.logp.detach(), "ratio": ratio}
    links |= {
        f"force on {name}": f for name, f in zip(("log-prob", "entropy", "collision", "nucleus entropy"), piece.forces)
    }
    for what, values in links.items():
        if found := _at(what, values, tokens.mask, everyone):
            return [Trouble(what, int(piece.rows[one.row]), one.position, one.detail) for one in found]
    broken = [name for name, part in parts.items() if not bool(torch.isfinite(part))]
    return [Trouble(f"loss part {name}", -1, -1, f"it is {float(parts[name].detach())}") for name in broken]


def _in_gradient(learner: Learner, batch: Batch, minibatch: Minibatch, passes: InnerLoop) -> list[Trouble]:
    """Every force is finite and the gradient is not: which response's, and in which parameter first."""
    found = []
    alone = [row[None] for row in minibatch.rows]
    parts = forwarded(learner, batch, alone, passes.temperature, minibatch.seed)
    for row, (_, tokens, scores) in zip(minibatch.rows.tolist(), parts):
        learner.optimizer.zero_grad(set_to_none=True)
        backward(scores, forces_on(learner.algorithm.objective(tokens), tokens))
        for name, parameter in learner.policy.network.named_parameters():
            if parameter.grad is not None and not bool(torch.isfinite(parameter.grad).all()):
                found.append(Trouble("gradient", row, -1, f"first in {name}"))
                break
    return found
