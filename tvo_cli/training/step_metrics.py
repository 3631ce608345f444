"""The metrics of a step, the same for every algorithm: from the graded batch and from the report of the update."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from tvo_cli.advantage import shaped_rewards, shaping_readings
from tvo_cli.data.mixture import Mixture
from tvo_cli.maths import masked
from tvo_cli.rollout import sampler_mismatch
from tvo_cli.stability import readings
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.branch_metrics import branch_metrics
from tvo_cli.training.free_energy_metrics import free_energy_metrics
from tvo_cli.training.optional_readings import optional_readings
from tvo_cli.training.replay_metrics import replay_metrics
from tvo_cli.training.reward_components import reward_function_metrics
from tvo_cli.training.session import Session
from tvo_cli.training.step_state import StepInProgress, UpdateReport
from tvo_cli.training.update_metrics import gradient_metrics, no_update_metrics, update_metrics


def measure_step(session: Session, work: StepInProgress) -> dict[str, float]:
    """Every reading of one rollout batch by name; docs/metrics.md defines each.

    Of a refused one what was sampled, and nothing that later steps compare with: its policy is no more.
    """
    batch, report = work.batch, work.report
    responses, divergence = _response_metrics(session, batch), _divergence_metrics(batch, report)
    if work.refused:
        return responses | divergence | free_energy_metrics(session, work) | no_update_metrics()
    return (
        responses
        | _entropy_law_metrics(session, batch, responses["accuracy/fresh"])
        | _mismatch_metrics(batch, report)
        | divergence
        | gradient_metrics(session, report)
        | free_energy_metrics(session, work)
        | update_metrics(session, batch, report)
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


def _mismatch_metrics(batch: RolloutBatch, report: UpdateReport) -> dict[str, float]:
    """Sampler against trainer on the first minibatch, which the trainer scores with the sampler's own weights."""
    if not report.first or batch.experience.internal:
        return {}
    rows = torch.cat([forces.rows for forces in report.first])
    trainer = torch.cat([forces.logp for forces in report.first])
    return sampler_mismatch(batch.rollout.logp[rows], trainer, batch.rollout.mask[rows])


class _TokensOfLastEpoch(NamedTuple):
    """Tokens as the last pass over the batch found them, before each of its steps, every tensor [B, T]."""

    logp: Tensor
    old_logp: Tensor
    entropy: Tensor
    weight: Tensor
    mask: Tensor


def _tokens_of_last_epoch(batch: RolloutBatch, report: UpdateReport) -> _TokensOfLastEpoch:
    rows = torch.cat([forces.rows for forces in report.last_epoch])
    return _TokensOfLastEpoch(
        logp=torch.cat([forces.logp for forces in report.last_epoch]),
        old_logp=batch.experience.old_logp[rows],
        entropy=torch.cat([forces.entropy for forces in report.last_epoch]),
        weight=torch.cat([forces.weight for forces in report.last_epoch]),
        mask=batch.own_tokens[rows],
    )


def _divergence_metrics(batch: RolloutBatch, report: UpdateReport) -> dict[str, float]:
    """How far the inner passes have carried the policy from the one that sampled, and from the reference."""
    experience, own = batch.experience, batch.own_tokens
    found: dict[str, float] = {}
    reference = experience.whole_ref_logp if experience.internal else experience.ref_logp
    if reference is not None:
        found |= readings.kl_readings(batch.sampled_logp, reference, own, "kl_ref")
    if not report.last_epoch:
        return found | readings.entropy_readings(batch.sampled_logp, None, own)
    last = _tokens_of_last_epoch(batch, report)
    return (
        found
        | _entropy_metrics(batch, last)
        | readings.total_variation_readings(last.logp, last.old_logp, last.mask)
        | readings.kl_readings(last.old_logp, last.logp, last.mask, "kl_old")
        | readings.ratio_quantile_readings(last.logp, last.old_logp, last.mask)
        | readings.damping_readings(last.weight, last.mask)
    )


def _entropy_metrics(batch: RolloutBatch, last: _TokensOfLastEpoch) -> dict[str, float]:
    """Of the whole network's policy: while an inner block's learns, as it was when it sampled."""
    if batch.experience.internal:
        return readings.entropy_readings(batch.sampled_logp, None, batch.own_tokens)
    return readings.entropy_readings(last.logp, last.entropy, last.mask)
