"""Small minibatches on which an algorithm is held against its contract, and their extremes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tvo_cli.objective.reduction import token_mean
from tvo_cli.training.update.minibatch_forward import join_tokens
from tvo_cli.types import Experience, Tokens

LEAVES = ("logp", "entropy", "collision")  # what depends on the policy's parameters
TENSORS = (*LEAVES, "old_logp", "advantage", "mask", "share", "ref_logp", "old_entropy", "covariance")
GARBAGE = 7.0  # on padding


def sample_tokens(seed: int = 0, drift: float = 0.1) -> Tokens:
    """A minibatch of 4 responses of up to 6 tokens over 5 words, off-policy by `drift` nats, in float64."""
    rng = torch.Generator().manual_seed(seed)
    log_pi = torch.randn(4, 6, 5, generator=rng, dtype=torch.float64).log_softmax(-1)
    pi, logp = log_pi.exp(), log_pi[..., 0].clone()
    noise, apart = (torch.randn(4, 6, generator=rng, dtype=torch.float64) for _ in range(2))
    mask = torch.arange(6) < torch.tensor([[6], [4], [1], [5]])
    advantage = torch.tensor([[1.0], [-1.0], [0.5], [-0.5]], dtype=torch.float64)
    entropy = -(pi * log_pi).sum(-1)
    return Tokens(
        logp=logp.requires_grad_(),
        old_logp=(logp + drift * noise).detach().clamp(max=0.0),
        entropy=entropy.clone().requires_grad_(),
        collision=pi.square().sum(-1).requires_grad_(),
        advantage=advantage * mask,
        mask=mask,
        share=token_mean(mask).double(),
        scale=2.0,
        ref_logp=(logp + 0.2 * apart).detach(),
        old_entropy=entropy + drift * 0.3,
        covariance=(pi.square() * (log_pi + entropy[..., None])).sum(-1),
    )


def sample_counted() -> Tensor:
    """The tokens of `sample_tokens` that count where an advantage leaves some out: a few of two, and none of one."""
    return sample_tokens().mask & (torch.arange(6) > torch.tensor([[-1], [1], [5], [2]]))


def sample_with_padding_garbage(tokens: Tokens) -> Tokens:
    """The same tokens with garbage on padding."""
    kept = [key for key in TENSORS if key not in {"mask", "share"}]
    dirty: dict[str, Any] = {key: torch.where(tokens.mask, getattr(tokens, key).detach(), GARBAGE) for key in kept}
    for leaf in LEAVES:
        dirty[leaf].requires_grad_()
    return replace(tokens, **dirty)


def widened(tokens: Tokens, columns: int = 3) -> Tokens:
    """The same tokens with further columns of padding, as another batch would have them."""
    room = torch.zeros(len(tokens.mask), columns, dtype=torch.float64)
    wide: dict[str, Any] = {
        key: torch.cat([getattr(tokens, key).detach(), room.to(getattr(tokens, key).dtype)], 1) for key in TENSORS
    }
    for leaf in LEAVES:
        wide[leaf].requires_grad_()
    return replace(tokens, **wide)


def sample_in_micro_batches(tokens: Tokens, *, whole: bool) -> list[Tokens]:
    """The tokens in three micro-batches, which know the minibatch they are a slice of, or do not."""
    parts, detached = [], join_tokens([tokens]) if whole else None
    for rows in ([0], [1, 2], [3]):
        tensors = {key: getattr(tokens, key)[rows] for key in TENSORS}
        parts.append(replace(tokens, **tensors, whole=detached, start=rows[0]))
    return parts


def extremes() -> Iterator[tuple[str, Tokens]]:
    """Minibatches at the edge, by name: certain policies, vanishing probabilities, equal rewards, empty rows."""
    tokens = sample_tokens()
    zeros = torch.zeros(4, 6)
    changes: dict[str, dict[str, Any]] = {
        "certain": {"logp": zeros, "old_logp": zeros, "entropy": zeros},
        "vanishing": {"old_logp": torch.full((4, 6), math.log(1e-8))},
        "equal rewards": {"advantage": zeros},
        "one token": {"mask": torch.arange(6).expand(4, 6) < 1},
        "empty row": {"mask": tokens.mask & (torch.arange(4)[:, None] > 0)},
        "no token": {"mask": torch.zeros(4, 6, dtype=torch.bool)},
        "branches": {"mask": tokens.mask & (torch.arange(6) >= torch.tensor([[0], [2], [0], [3]]))},
    }
    for case, changed in changes.items():
        typed = {key: value if value.dtype is torch.bool else value.double() for key, value in changed.items()}
        for leaf in LEAVES:
            typed[leaf] = typed.get(leaf, getattr(tokens, leaf).detach()).clone().requires_grad_()
        yield case, replace(tokens, **typed)


def sample_experience() -> Experience:
    """Four graded responses of two prompts, off-policy, in float64."""
    double: dict[str, Any] = {"dtype": torch.float64}
    old = torch.tensor([[-0.1, -1.0, -2.0], [-0.5, -0.2, 0], [-0.3, -1.5, -0.7], [-0.05, 0, 0]], **double)
    apart = torch.tensor([[-0.1, 0.2, 0], [0, 0, 0], [0.1, 0, 0], [0, 0, 0]], **double)
    return Experience(
        rewards=torch.tensor([1.0, 0.0, 0.0, 1.0], **double),
        mask=torch.tensor([[1, 1, 1], [1, 1, 0], [1, 1, 1], [1, 0, 0]], dtype=torch.bool),
        group=torch.tensor([0, 0, 1, 1]),
        source=torch.zeros(4, dtype=torch.int64),
        old_logp=old,
        ref_logp=old + apart,
        values=torch.zeros(4, 3, **double),
        old_entropy=torch.tensor([[0.3, 1.2, 2.1], [0.8, 0.4, 0], [0.6, 1.7, 0.9], [0.1, 0, 0]], **double),
        old_covariance=torch.tensor([[0.1, 0.2, 0.05], [0.1, 0.1, 0], [0.2, 0.1, 0.1], [0.05, 0, 0]], **double),
        correct=torch.tensor([True, False, False, True]),
        response_ids=torch.tensor([[3, 4, 1], [3, 1, 0], [4, 4, 1], [1, 0, 0]]),
        answer=torch.tensor([0, 1, -1, 0]),
        phase=torch.tensor([[0, 1, 2], [0, 0, 0], [0, 1, 2], [0, 0, 0]]),
        prompt_logp=torch.tensor([[-0.5, -2.0], [-1.0, 0.0]], **double),
        prompt_mask=torch.tensor([[True, True], [True, False]]),
        group_divergence=torch.tensor([[0.0, 0.5, 2.0], [0.3, 0.1, 0.0]], **double),
    )


def extreme_experiences() -> Iterator[tuple[str, Experience]]:
    """Graded batches at the edge, by name."""
    found, first = sample_experience(), torch.arange(3) < 1
    changes: dict[str, dict[str, Any]] = {
        "as sampled": {},
        "equal rewards": {"rewards": torch.full((4,), 0.3, dtype=torch.float64)},
        "one token": {"mask": first.expand(4, 3)},
        "empty row": {"mask": found.mask & (torch.arange(4)[:, None] > 0)},
        "no token": {"mask": torch.zeros(4, 3, dtype=torch.bool)},
        "branches": {"mask": found.mask & (torch.arange(3) >= torch.tensor([[0], [1], [2], [0]]))},
        "two sources": {"source": found.group},
        "rows beside the batch": {"extra": found.group == 1},
    }
    return ((case, replace(found, **changed)) for case, changed in changes.items())


def earlier_experiences() -> Iterator[Experience]:
    """Graded batches before those, for pieces that remember: of two sources, of which the second's rewards move."""
    found = sample_experience()
    for step, right in enumerate(([1, 0, 0, 0], [1, 0, 0, 1], [1, 0, 1, 1])):
        rewards = torch.tensor(right, dtype=torch.float64)
        yield replace(found, rewards=rewards, correct=rewards > 0, source=found.group, step=step)
