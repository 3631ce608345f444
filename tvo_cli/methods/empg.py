"""EMPG: steps of a response that were taken with confidence learn more, and a confident next step is paid for.

Wang et al. 2025, "Harnessing uncertainty: entropy-modulated policy gradients", arXiv:2509.09265.
Changes GRPO at: advantage shaping.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.types import Advantage, Experience


def empg(
    experience: Experience,
    advantage: Advantage,
    *,
    scaling: float,
    clarity: float,
    bonus: float,
    window: int,
    centre: str,
) -> Advantage:
    """Â'' = Â' − mean over steps of Â',  Â' = Â·g(h) + ζ·f(h of the next step), equal on all tokens of a step, [B, T].

    h is the mean entropy (nats, of the policy that sampled) of a step's tokens, u = (h − min)/(max − min) over all
    steps of the batch, g = exp(−k·u)/mean exp(−k·u), f = exp(−k'·u); the last step of a response gets no bonus. A step
    is `window` tokens here, a single-turn form of this project's; the paper's are the turns of an agent.

    Fidelity: notes (two restatements of the paper's equations agree; no code was found, ζ is a later study's).

    Args:
        experience: with old_entropy.
        advantage: Â, [B, T], constant over a step.
        scaling: k; 0, with bonus 0 and centre none, recovers Â.
        clarity: k'.
        bonus: ζ, in units of Â.
        window: tokens of a step.
        centre: whose mean is taken off: "all" steps (the equations), "taught" those with Â ≠ 0 only, or "none".
    """
    if experience.old_entropy is None:
        raise ValueError("algorithm.objective.reads.old_entropy must be true for EMPG")
    mask, place = experience.mask, torch.arange(experience.mask.shape[1], device=experience.mask.device)
    step, first = place // window, _first_token_of_steps(mask, place[::window])
    exists, own = mask.gather(1, first) & (step[first] == step[::window]), advantage.values.gather(1, first)
    spread = masked.scaled_to_unit(_mean_of_steps(experience.old_entropy, mask, step, exists), exists)
    weight = (-scaling * spread).exp()
    weight = weight / masked.mean(weight, exists).clamp(min=torch.finfo(weight.dtype).tiny)
    changed = own * weight + bonus * _value_of_next_step((-clarity * spread).exp(), exists)
    moving = exists if centre == "all" else exists & (own != 0)
    shift = 0.0 if centre == "none" else masked.mean(changed, moving)
    changed = torch.where(moving, changed - shift, 0.0)
    return replace(advantage, values=torch.where(mask, changed[:, step], 0.0))


def _first_token_of_steps(mask: Tensor, start: Tensor) -> Tensor:
    """Place of each step's first token, [B, S]: where it starts, or where a branch's own tokens do."""
    return torch.maximum(start, mask.long().argmax(1, keepdim=True))


def _mean_of_steps(x: Tensor, mask: Tensor, step: Tensor, exists: Tensor) -> Tensor:
    """Mean of each step's tokens, [B, S]."""
    total, count = (
        part.new_zeros(exists.shape).index_add_(1, step, part) for part in (torch.where(mask, x, 0.0), mask.to(x.dtype))
    )
    return total / count.clamp(min=1)


def _value_of_next_step(x: Tensor, exists: Tensor) -> Tensor:
    """EMPG's value of the step after each step of a response, 0 where there is none."""
    return torch.nn.functional.pad(torch.where(exists, x, 0.0)[:, 1:], (0, 1))
