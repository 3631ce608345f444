"""The metrics of a step, the same for every algorithm: all readings together, those of the graded batch made here."""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.advantage import shaped_rewards, shaping_readings
from tvo_cli.data.mixture import Mixture
from tvo_cli.maths import masked
from tvo_cli.stability import readings
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.metrics.branch_metrics import branch_metrics, tempered_branch_metrics
from tvo_cli.training.metrics.free_energy_metrics import free_energy_metrics
from tvo_cli.training.metrics.optional_readings import optional_readings
from tvo_cli.training.metrics.replay_metrics import replay_metrics
from tvo_cli.training.metrics.update_metrics import (
    divergence_metrics,
    gradient_metrics,
    mismatch_metrics,
    no_update_metrics,
    update_metrics,
)
from tvo_cli.training.reward_terms.reward_term_values import reward_function_metrics
from tvo_cli.training.session import Session
from tvo_cli.training.step_state import StepInProgress


def measure_step(session: Session, work: StepInProgress) -> dict[str, float]:
    """Every reading of one rollout batch by name; docs/metrics.md defines each.

    Of a refused one what was sampled, and nothing that later steps compare with: its policy is no more.
    """
    batch, report = work.batch, work.report
    responses, divergence = _response_metrics(session, batch), divergence_metrics(batch, report)
    if work.refused:
        return responses | divergence | free_energy_metrics(session, work) | no_update_metrics()
    return (
        responses
        | _entropy_law_metrics(session, batch, responses["accuracy/fresh"])
        | mismatch_metrics(batch, report)
        | divergence
        | gradient_metrics(session, report)
        | free_energy_metrics(session, work)
        | update_metrics(session, batch, report)
        | tempered_branch_metrics(session.learner.algorithm.sampling, batch)
        | shaping_readings(session.learner.algorithm.estimator)
        | replay_metrics(session.learner.algorithm.self_imitation, work)
        | session.learner.algorithm.objective.readings(divergence.get("policy/damped", 0.0))
        | optional_readings(session, work)
    )


def _response_metrics(session: Session, batch: RolloutBatch) -> dict[str, float]:
    chosen = batch.drawn.chosen.from_prompts()
    rollout, verdicts = chosen.rollout, chosen.verdicts
    return (
        _reward_metrics_of_draws(session, batch)
        | _source_metrics(session, batch)
        | readings.length_readings(rollout.mask, rollout.finished)
        | readings.answer_readings([verdict.extracted for verdict in verdicts], rollout.group.tolist())
        | readings.neutral_word_readings(rollout.response_ids, rollout.mask, session.neutral_ids)
        | branch_metrics(batch)
        | {"grader/failed": float(sum(verdict.failed for verdict in batch.drawn.chosen.verdicts))}
    )


def _reward_metrics_of_draws(session: Session, batch: RolloutBatch) -> dict[str, float]:
    """Rewards and accuracy of all that was sampled from prompts: what a rule chose of it says nothing of the policy.

    Which groups teach nothing follows from whole groups, with the responses that begin with others' tokens.
    """
    draws, first = batch.drawn.draws, 0
    rewards, group = list[float](), list[int]()
    for graded in draws:
        rewards += graded.rewards
        group += [first + p for p in graded.rollout.group.tolist()]
        first += len(graded.problems)
    fresh = [graded.from_prompts() for graded in draws]
    own = torch.tensor([reward for graded in fresh for reward in graded.rewards])
    correct = [verdict.correct for graded in fresh for verdict in graded.verdicts]
    found = readings.reward_readings(own, correct)
    found |= readings.group_readings(*_grouped_rewards(session, batch, torch.tensor(rewards), torch.tensor(group)))
    found |= reward_function_metrics([graded.components for graded in fresh]) | session.weighting.metrics()
    if session.learner.algorithm.sampling.most == 1:
        return found
    used = float(len(batch.verdicts))
    share = batch.drawn.fit / first
    counts = {"sampling/draws": float(len(draws)), "sampling/generated": float(batch.drawn.responses)}
    return found | counts | {"sampling/used": used, "sampling/mixed": share}


def _grouped_rewards(session: Session, batch: RolloutBatch, rewards: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
    """The rewards that groups learn from, and their groups: shaped ones, where the shaping has seen all groups."""
    estimator = session.learner.algorithm.estimator
    if session.learner.algorithm.sampling.most > 1 or batch.drawn.branch is not None:
        return rewards, group
    shaped = shaped_rewards(estimator, batch.experience)
    return (rewards, group) if shaped is None else (shaped, batch.experience.group)


def _source_metrics(session: Session, batch: RolloutBatch) -> dict[str, float]:
    """Of a mixture, the share of each source in what was drawn and its accuracy; and what the cursor reads."""
    found = session.cursor.readings()
    if not isinstance(session.cursor.problems, Mixture):
        return found
    drawn = [problem.source for graded in batch.drawn.draws for problem in graded.problems]
    right = {source.name: list[bool]() for source in session.cursor.problems.sources}
    for graded in (one.from_prompts() for one in batch.drawn.draws):
        for p, verdict in zip(graded.rollout.group.tolist(), graded.verdicts, strict=True):
            right[graded.problems[p].source].append(verdict.correct)
    found |= {f"data/share/{name}": drawn.count(name) / len(drawn) for name in right}
    return found | {f"accuracy/source/{name}": sum(of) / len(of) for name, of in right.items() if of}


def _entropy_law_metrics(session: Session, batch: RolloutBatch, accuracy: float) -> dict[str, float]:
    """What the accuracy so far has cost in entropy, both of the policy that sampled."""
    experience, own = batch.experience, batch.own_rows
    return session.law.read(float(masked.mean(-batch.sampled_logp[own], experience.mask[own])), accuracy)
