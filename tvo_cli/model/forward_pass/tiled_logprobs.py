"""Log-probability, entropy and collision over a wide vocabulary, tile by tile: no row of logits is ever whole.

With z = W h / τ, running over tiles of the vocabulary with the maximum m so far,

    s = Σ e^{z−m},   a = Σ e^{z−m} (z − m),   q = Σ e^{2(z−m)}
    log π(y) = z_y − m − log s        H = log s − a/s        C = q/s²

which are rescaled by e^{m−m′} where a tile raises the maximum to m′. The backward pass recomputes each tile and
turns it in place into ∂L/∂z by the closed forms of `scores`; memory does not grow with N·V.

Products are in the precision of h and W; sums, and gradients that are summed over tiles, are in float32 at least.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from tvo_cli.model.forward_pass.output_head import OutputHead, is_plain_linear

ROWS = 256
COLUMNS = 2048  # 2 MB of float32 a tile: it stays in a CPU's cache
WIDE = 8 * COLUMNS  # a vocabulary from which tiles are faster than whole rows


class _TiledTokenScores(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, inverse_heat: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        sums = [_sums_over_tiles(hidden[rows], weight, bias, inverse_heat) for rows in _tile_slices(len(hidden), ROWS)]
        most, total, first, second = (torch.cat(column) for column in zip(*sums, strict=True))
        wide = _sum_dtype(hidden)
        chosen = torch.linalg.vecdot(hidden.to(wide), weight[targets].to(wide))
        if bias is not None:
            chosen = chosen + bias[targets]
        log_total = total.log()
        logp = (chosen * inverse_heat - most - log_total).clamp(max=0.0)
        entropy, collision = log_total - first / total, second / total.square()
        ctx.save_for_backward(hidden, weight, bias, targets, most + log_total, entropy, collision)
        ctx.inverse_heat = inverse_heat
        return logp, entropy, collision

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_logp: Tensor, by_entropy: Tensor, by_collision: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, targets, normaliser, entropy, collision = ctx.saved_tensors
        needs_weight, needs_bias = ctx.needs_input_grad[1], bias is not None and ctx.needs_input_grad[2]
        inverse_heat, wide = ctx.inverse_heat, _sum_dtype(hidden)
        by_hidden = torch.zeros_like(hidden, dtype=wide)
        by_weight = torch.empty_like(weight) if needs_weight else None
        by_bias = torch.zeros_like(bias, dtype=wide) if needs_bias else None
        constant = by_logp + by_entropy * entropy + 2 * by_collision * collision
        plain = not bool(by_entropy.any() or by_collision.any())
        for columns in _tile_slices(len(weight), COLUMNS):
            tile_weight = weight[columns]
            by_tile = None if by_weight is None else torch.zeros_like(tile_weight, dtype=wide)
            for rows in _tile_slices(len(hidden), ROWS):
                z = _logits_tile(hidden[rows], tile_weight, None if bias is None else bias[columns], inverse_heat)
                z.sub_(normaliser[rows, None])
                push = _logit_gradient_tile(z, constant[rows], by_entropy[rows], by_collision[rows], plain)
                _add_target_gradients(push, targets[rows] - columns.start, by_logp[rows])
                if by_bias is not None:
                    by_bias[columns] += push.sum(0) * inverse_heat
                push = push.to(hidden.dtype)
                _add_product(by_hidden[rows], push, tile_weight, inverse_heat)
                if by_tile is not None:
                    _add_product(by_tile, push.t(), hidden[rows], inverse_heat)
            if by_weight is not None and by_tile is not None:
                by_weight[columns] = by_tile
        return by_hidden.to(hidden.dtype), by_weight, None if by_bias is None else by_bias.to(bias.dtype), None, None


def _tile_slices(length: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


def _sum_dtype(hidden: Tensor) -> torch.dtype:
    """The type of sums and results: float32, or that of h where it is wider."""
    return torch.promote_types(hidden.dtype, torch.float32)


def _logits_tile(hidden: Tensor, weight: Tensor, bias: Tensor | None, inverse_heat: float) -> Tensor:
    """z of some rows and some words, [r, v], from a product in the precision of h."""
    added = hidden.new_zeros(()) if bias is None else bias
    z = torch.addmm(added, hidden, weight.t(), beta=0.0 if bias is None else inverse_heat, alpha=inverse_heat)
    return z.to(_sum_dtype(hidden))


def _add_product(into: Tensor, left: Tensor, right: Tensor, factor: float) -> None:
    """into += factor · left @ right, the product in the precision of its factors, the sum in that of `into`."""
    if into.dtype == left.dtype:
        into.addmm_(left, right, alpha=factor)
    else:
        into.add_(left @ right, alpha=factor)


def _sums_over_tiles(hidden: Tensor, weight: Tensor, bias: Tensor | None, inverse_heat: float) -> tuple[Tensor, ...]:
    """(m, s, a, q) of some rows over the whole vocabulary, each [r]."""
    most = hidden.new_full((len(hidden),), -torch.inf, dtype=_sum_dtype(hidden))
    total, first, second = (torch.zeros_like(most) for _ in range(3))
    for columns in _tile_slices(len(weight), COLUMNS):
        z = _logits_tile(hidden, weight[columns], None if bias is None else bias[columns], inverse_heat)
        higher = torch.maximum(most, z.amax(1))
        shift = torch.where(most > -torch.inf, most - higher, torch.zeros_like(most))  # nothing is summed yet
        factor = shift.exp()
        first = factor * (first + shift * total)
        total, second, most = factor * total, factor.square() * second, higher
        z.sub_(higher[:, None])
        e = z.exp()
        total += e.sum(1)
        first += torch.linalg.vecdot(e, z)
        second += torch.linalg.vecdot(e, e)
    return most, total, first, second


def _logit_gradient_tile(
    log_pi: Tensor, constant: Tensor, by_entropy: Tensor, by_collision: Tensor, plain: bool
) -> Tensor:
    """π · [2 g_C π − g_H log π − constant], in place of log π where no more is needed."""
    if plain:
        return log_pi.exp_().mul_(-constant[:, None])
    pi = log_pi.exp()
    inner = log_pi.mul_(-by_entropy[:, None]).addcmul_(pi, (2 * by_collision)[:, None])
    return inner.sub_(constant[:, None]).mul_(pi)


def _add_target_gradients(push: Tensor, column: Tensor, by_logp: Tensor) -> None:
    """g_logp at the chosen word of every row whose word lies in this tile; no row is looked for on the host."""
    inside = (column >= 0) & (column < push.shape[1])
    at = torch.where(inside, column, 0)[:, None]
    push.scatter_add_(1, at, torch.where(inside, by_logp, 0.0)[:, None])


def tiled_token_scores(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, heat: float
) -> tuple[Tensor, Tensor, Tensor]:
    """(log π(y), H, C) of softmax((W h + b)/heat): hidden [N, H], weight [V, H], targets [N] → three [N].

    First derivatives only, by all of hidden, weight and bias. `token_readings` of the whole rows is its oracle.
    """
    logp, entropy, collision = _TiledTokenScores.apply(  # type: ignore[no-untyped-call]
        hidden, weight, bias, targets, 1.0 / heat
    )
    return logp, entropy, collision


def can_score_in_tiles(head: OutputHead, hidden: Tensor) -> bool:
    """Whether the head is one linear map onto a wide vocabulary, in the precision of what goes in, on a CPU."""
    project = head.project
    if not is_plain_linear(project) or head.cap is not None or len(project.weight) < WIDE or head.decodable.holes:
        return False
    plain = hidden.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
    return plain and hidden.dtype == project.weight.dtype


def tiled_scores_of_head(head: OutputHead, hidden: Tensor, targets: Tensor, heat: float) -> tuple[Tensor, ...]:
    """`tiled_token_scores` of a head that `can_score_in_tiles`, its scale included."""
    project, kept = head.project, slice(head.decodable.width)
    assert isinstance(project, nn.Linear)
    bias = None if project.bias is None else project.bias[kept]
    return tiled_token_scores(hidden, project.weight[kept], bias, targets, heat / head.scale)
