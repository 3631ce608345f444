"""Random graded batches in float64, and what a whole recipe makes of one: the loss and its gradient by log π."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tvo_cli import config
from tvo_cli.experiment.build_algorithm import build_estimator
from tvo_cli.types import Advantage, Experience, Tokens

PROMPTS, RESPONSES, LENGTH, WORDS = 4, 6, 9, 11
DRIFT = 0.3  # nats between log π and log π_old: beyond a clip of 0.2 for about half of the tokens


class Outcome(NamedTuple):
    """What two implementations are compared by."""

    loss: Tensor  # a number
    gradient: Tensor  # by `RandomBatch.logp`, or by what the comparison says, [B, T]


@dataclass(frozen=True)
class RandomBatch:
    """Responses of several prompts, some groups solved by all or none, off-policy, ragged; everything in float64."""

    experience: Experience
    logp: Tensor  # log π of the policy under training, a leaf, [B, T]
    entropy: Tensor  # H of the same, a leaf, [B, T]
    logits: Tensor  # of the same, [B, T, V]; the sampled word is the first
    advantage: Tensor  # any numbers, the same along a response, [B, T]

    @property
    def mask(self) -> Tensor:
        """Response tokens, bool [B, T]."""
        return self.experience.mask

    def outcome(self, loss: Tensor, by: Tensor | None = None) -> Outcome:
        """The loss with its gradient by log π, or by another leaf."""
        found = torch.autograd.grad(loss, self.logp if by is None else by, allow_unused=True)[0]
        return Outcome(loss.detach(), torch.zeros_like(self.logp) if found is None else found)


def random_batch(seed: int) -> RandomBatch:
    """Draw a batch; equal seeds give equal batches."""
    rng = torch.Generator().manual_seed(seed)
    rows, double = PROMPTS * RESPONSES, torch.float64
    logits = 2.0 * torch.randn(rows, LENGTH, WORDS, generator=rng, dtype=double)
    log_pi = logits.log_softmax(-1)
    logp, entropy = log_pi[..., 0].clone(), -(log_pi.exp() * log_pi).sum(-1)
    lengths = torch.randint(1, LENGTH + 1, (rows, 1), generator=rng)
    correct = torch.rand(rows, generator=rng) < torch.rand(PROMPTS, generator=rng).repeat_interleave(RESPONSES)
    drifts = (DRIFT * torch.randn(rows, LENGTH, generator=rng, dtype=double) for _ in range(3))
    old, reference, entropies = drifts
    experience = Experience(
        rewards=correct.to(double),
        mask=torch.arange(LENGTH) < lengths,
        group=torch.arange(PROMPTS).repeat_interleave(RESPONSES),
        source=torch.zeros(rows, dtype=torch.int64),
        old_logp=(logp + old).clamp(max=0.0),
        ref_logp=(logp + reference).clamp(max=0.0),
        old_entropy=(entropy + entropies).clamp(min=0.0),
        correct=correct,
    )
    advantage = torch.randn(rows, 1, generator=rng, dtype=double).expand(-1, LENGTH) * experience.mask
    return RandomBatch(experience, logp.requires_grad_(), entropy.requires_grad_(), logits, advantage)


def drifted(batch: RandomBatch, times: float) -> RandomBatch:
    """The same batch with log-ratios so many times as large, for clips that the drawn ones hardly meet."""
    logp = batch.logp.detach()
    old = (logp + times * (batch.experience.old_logp - logp)).clamp(max=0.0)
    return replace(batch, experience=replace(batch.experience, old_logp=old))


def with_entropy_of_logits(batch: RandomBatch) -> RandomBatch:
    """The same batch sampled by the policy of its logits, as code that reads log-probabilities of words needs it."""
    log_pi = batch.logits.log_softmax(-1)
    entropy = -(log_pi.exp() * log_pi).sum(-1)
    return replace(batch, experience=replace(batch.experience, old_entropy=entropy))


def with_entropy_after_logp(batch: RandomBatch, slope: float) -> RandomBatch:
    """The same batch with an entropy that follows log π, anew at each call: its gradient is in that by log π."""
    return replace(batch, entropy=batch.entropy.detach() + slope * (batch.logp - batch.logp.detach()))


def advantage_of(recipe: str, experience: Experience, *overrides: str) -> Advantage:
    """What a recipe's estimator and shapings make of a batch."""
    return build_estimator(algorithm_of(recipe, *overrides))(experience)


def loss_of(
    recipe: str,
    batch: RandomBatch,
    *overrides: str,
    advantage: Advantage | None = None,
    past: tuple[float, ...] = (),
    by: Tensor | None = None,
    **of_tokens: Any,
) -> Outcome:
    """The loss of a whole recipe on a batch that is one minibatch, and its gradient by log π, or by another leaf.

    past: mean entropies of batches before this one, for pieces that remember.
    """
    algorithm = algorithm_of(recipe, *overrides)
    objective = config.build(algorithm.objective)
    for entropy in past:
        objective.end_batch(entropy)
    chosen = advantage or build_estimator(algorithm)(batch.experience)
    tokens = replace(tokens_of(batch, chosen, objective.reduce), **of_tokens)
    return batch.outcome(objective(tokens).total, by)


@cache
def algorithm_of(recipe: str, *overrides: str) -> Any:
    """The node of a recipe's algorithm."""
    return config.compose([f"algorithm={recipe}", "logger=none", *overrides]).algorithm


def tokens_of(batch: RandomBatch, advantage: Advantage, reduce: Any) -> Tokens:
    """What an objective is given of a batch that is one minibatch."""
    experience = batch.experience
    counted = experience.mask if advantage.counted is None else advantage.counted
    return Tokens(
        logp=batch.logp,
        old_logp=experience.old_logp,
        entropy=batch.entropy,
        collision=batch.logits.softmax(-1).square().sum(-1),
        advantage=advantage.values,
        mask=experience.mask,
        share=reduce(counted.double()),  # of a bool mask it would be rounded to float32
        scale=advantage.scale,
        ref_logp=experience.ref_logp,
        old_entropy=experience.old_entropy,
    )
