"""The next-token loss on replayed data: what no verifier rewards is kept by demonstrations, beside the responses.

L ← L + c·λ·NLL, NLL the mean of −log π over the learned tokens of a minibatch's demonstrations, nats, at temperature 1.
Phan et al. 2025, RECAP, arXiv:2510.21978, where it is one of the K objectives; λ is that of `ReweightedSources`, and 1
without it. Which demonstrations a batch has follows from (seed, step) alone: a checkpoint carries the drawn ones of the
batch under way, and the losses that λ is made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tvo_cli.advantage import weight_of_objective
from tvo_cli.model.forward_pass.sequence_logprobs import TokenSequences, learned_logprobs
from tvo_cli.training.batch import Demonstrated, RolloutBatch
from tvo_cli.training.run_data.demonstration_rows import Rows
from tvo_cli.training.update.learner import Learner
from tvo_cli.training.update.minibatches import Minibatch
from tvo_cli.training.update.out_of_memory import within_memory_of_all_ranks

if TYPE_CHECKING:
    from tvo_cli.training.session import Session
    from tvo_cli.training.step_state import StepInProgress

NEXT_TOKEN = "next_token"  # the objective's name: loss/next_token, objective/weight/next_token


@dataclass(frozen=True, slots=True)
class NextTokenLoss:
    """Demonstrations, and how many of them a batch is learnt with; coefficient = 0 recovers the base."""

    coefficient: float  # c
    count: int  # demonstrations a batch
    rows: Rows

    def of_batch(self, step: int, factor: float, pad_id: int, device: torch.device) -> Demonstrated:
        """The demonstrations of the batch after so many others, weighted by c times `factor`."""
        first = step * self.count
        drawn = [self.rows.at(number) for number in range(first, first + self.count)]
        sequences = TokenSequences.of([(row.ids, row.learned) for row in drawn], pad_id, device)
        return Demonstrated(*sequences, self.coefficient * factor)


def with_next_token_demonstrations(session: Session, batch: RolloutBatch) -> RolloutBatch:
    """The batch with the demonstrations whose next-token loss its updates add, weighed by the batches before it."""
    loss = session.next_token
    if loss is None or not loss.coefficient:
        return batch
    factor = weight_of_objective(session.learner.algorithm.estimator, NEXT_TOKEN)
    device = session.learner.runtime.device
    return replace(
        batch, demonstrated=loss.of_batch(session.counters.step, factor, session.learner.policy.pad_id, device)
    )


def with_next_token_loss(work: StepInProgress) -> RolloutBatch:
    """The batch under way with what its demonstrations lost, the mean over its updates, for the weights after it."""
    losses = work.report.losses.get(NEXT_TOKEN, [])
    if not losses:
        return work.batch
    mean = {NEXT_TOKEN: sum(losses) / len(losses)}
    return replace(work.batch, experience=replace(work.batch.experience, losses=mean))


def add_next_token_gradient(learner: Learner, batch: Demonstrated, minibatch: Minibatch, minibatches: int) -> float:
    """Add c·λ·∇NLL of the minibatch's demonstrations to .grad, which ranks have summed; NLL, nats a token.

    It is summed over ranks by itself, so that two ranks add what one process adds.
    """
    own, ranks = [parameter.grad for parameter in learner.parameters], learner.runtime.ranks
    learner.optimizer.zero_grad(set_to_none=True)
    rows = torch.arange(minibatch.index, len(batch.lengths), minibatches)
    parts = rows.tensor_split(max(1, min(len(minibatch.microbatches), len(rows))))
    tokens = int(batch.learned[rows].sum())

    def differentiate_own() -> list[tuple[int, float]]:
        found = []
        for number, counts in ranks.turns(len(parts)):
            loss = _loss_of_rows(learner, batch, parts[number]) / tokens
            (loss * batch.weight * float(counts)).backward()
            found += [(number, float(loss.detach()))] if counts else []
        return found

    losses = ranks.gather_parts(within_memory_of_all_ranks(ranks, differentiate_own, len(parts[0])), float)
    ranks.sum_gradients(learner.parameters)
    _add_gradients_of_responses(learner.parameters, own)
    return sum(losses, 0.0)


def _loss_of_rows(learner: Learner, batch: Demonstrated, rows: Tensor) -> Tensor:
    """−Σ log π over the learned tokens of some demonstrations, nats."""
    rows = rows.to(batch.ids.device)
    width = int(batch.lengths[rows].max())
    sequences = TokenSequences(batch.ids[rows, :width], batch.lengths[rows], batch.learned[rows, :width])
    with learner.autocast():
        return -learner.policy.forwarded(lambda: learned_logprobs(learner.policy, sequences, packed=False)).sum()


def _add_gradients_of_responses(parameters: Sequence[Tensor], others: Sequence[Tensor | None]) -> None:
    """Beside the demonstrations' gradient that of the responses, which was set aside: .grad ← .grad + other."""
    for parameter, other in zip(parameters, others, strict=True):
        if other is not None:
            parameter.grad = other if parameter.grad is None else other.add_(parameter.grad)
