"""The gradient of each term of a reward by itself.

g_k = ∇_θ reduce[ ρ Â_k ] at θ = θ_old, Â_k the algorithm's own advantages from r_k alone: what every algorithm's
surrogate ascends before its first update, where ρ = 1 and nothing is clipped or damped yet. One forward and one
backward pass a term.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tvo_cli.maths.importance_ratio import importance_ratio
from tvo_cli.reward.reward_sum import filled_opinions
from tvo_cli.training.reward_terms.reward_term_values import terms_of_batch
from tvo_cli.training.update.backward import backward_through_network
from tvo_cli.training.update.minibatch_forward import forward_parts
from tvo_cli.training.update.out_of_memory import within_memory_of_all_ranks

if TYPE_CHECKING:
    from tvo_cli.training.batch import RolloutBatch
    from tvo_cli.training.session import Session


def gradients_of_terms(session: Session, batch: RolloutBatch) -> Tensor:
    """The gradient of each reward term: g, float64 [K, d], ordered as `terms_of_responses`; the same on every rank."""
    group = batch.rollout.group.tolist()
    found = [
        _gradient_of_rewards(session, batch, torch.tensor(filled_opinions(values, group)))
        for values in terms_of_batch(session, batch).values()
    ]
    session.learner.optimizer.zero_grad(set_to_none=True)
    return torch.stack(found)


def _gradient_of_rewards(session: Session, batch: RolloutBatch, rewards: Tensor) -> Tensor:
    """∇ reduce[ρ Â] of these rewards, [B], alone; float64 [d]."""
    learner, experience = session.learner, batch.experience
    rewards = rewards.to(experience.rewards)
    advantage = learner.algorithm.estimator(replace(experience, rewards=rewards))
    learner.optimizer.zero_grad(set_to_none=True)
    rows = torch.arange(len(batch.verdicts), device=rewards.device)
    parts = rows.split(session.passes.forward_rows(batch.rollout))

    def differentiate_own() -> None:
        alone = replace(batch, advantage=advantage)
        for part in forward_parts(learner, alone, parts, session.passes.temperature, session.seed):
            tokens = part.tokens
            push = tokens.share * importance_ratio(tokens.logp.detach() - tokens.old_logp) * tokens.advantage
            push = push if tokens.importance is None else push * tokens.importance
            still = [torch.zeros_like(score) for score in part.scores[1:]]
            backward_through_network(part.scores, (torch.where(tokens.mask, push, 0.0), *still))

    within_memory_of_all_ranks(learner.runtime.ranks, differentiate_own, len(parts[0]))
    learner.runtime.ranks.sum_gradients(learner.parameters)
    return torch.cat([_flat_gradient(parameter) for parameter in learner.parameters])


def _flat_gradient(parameter: Tensor) -> Tensor:
    """A parameter's part of a reward term's gradient, float64 and flat; 0 where it has none."""
    grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
    return grad.detach().flatten().double().cpu()
