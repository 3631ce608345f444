"""The gradient of each term of a reward by itself, and a batch rewarded by other weights.

g_k = ∇_θ reduce[ ρ Â_k ] at θ = θ_old, Â_k the algorithm's own advantages from r_k alone: what every algorithm's
surrogate ascends before its first update, where ρ = 1 and nothing is clipped or damped yet. One forward and one
backward pass a term.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tvo_cli.maths.importance_ratio import importance_ratio
from tvo_cli.reward.reward_sum import Opinions, filled_opinions, weighted_reward_sum
from tvo_cli.training.backward import backward_through_network
from tvo_cli.training.minibatch_forward import forward_parts
from tvo_cli.training.out_of_memory import within_memory_of_all_ranks
from tvo_cli.training.reward_components import join_components, terms_of_responses

if TYPE_CHECKING:
    from tvo_cli.training.batch import RolloutBatch
    from tvo_cli.training.session import Session


def gradients_of_terms(session: Session, batch: RolloutBatch) -> Tensor:
    """g, float64 [K, d], the terms in the order of their names in `terms_of_responses`; the same on every rank."""
    group = batch.rollout.group.tolist()
    found = [
        _gradient_of_rewards(session, batch, torch.tensor(filled_opinions(values, group)))
        for values in _terms_of_batch(session, batch).values()
    ]
    session.learner.optimizer.zero_grad(set_to_none=True)
    return torch.stack(found)


def _terms_of_batch(session: Session, batch: RolloutBatch) -> dict[str, Opinions]:
    """Every term of the reward, a value a response; of a branch's too, which the user's functions have not seen."""
    drawn = batch.drawn
    parts = [drawn.chosen] if drawn.branch is None else [drawn.chosen, drawn.branch]
    components = join_components([part.components for part in parts])
    return terms_of_responses(session, batch.rollout, batch.verdicts, components)


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
    grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
    return grad.detach().flatten().double().cpu()


def with_weighted_rewards(session: Session, batch: RolloutBatch, weights: Mapping[str, float]) -> RolloutBatch:
    """The batch with the rewards of these weights over all terms, and the advantages that follow."""
    group = batch.rollout.group.tolist()
    rewards = tuple(weighted_reward_sum(_terms_of_batch(session, batch), weights, group, [0.0] * len(group)))
    chosen = replace(batch.drawn.chosen, rewards=rewards[batch.own_rows])
    experience = replace(batch.experience, rewards=torch.tensor(rewards).to(batch.experience.rewards))
    return replace(
        batch,
        drawn=replace(batch.drawn, chosen=chosen, draws=(chosen,)),
        experience=experience,
        advantage=session.learner.algorithm.estimator(experience),
    )
