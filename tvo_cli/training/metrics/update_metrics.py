"""Metrics of a step's updates: gradients, losses, learning rate, the critic, and how far the policy has moved."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from tvo_cli.rollout import sampler_mismatch
from tvo_cli.stability import gradient_log_fluctuation, readings
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.metrics.weight_box import weight_box_metrics
from tvo_cli.training.session import Session
from tvo_cli.training.step_state import UpdateReport


def gradient_metrics(session: Session, report: UpdateReport) -> dict[str, float]:
    """Norms, clipping, variance of the step's gradients."""
    norms = report.norms
    found = {"gradient/norm": sum(norms) / len(norms), "gradient/norm_max": max(norms)} if norms else {}
    found["gradient/log_fluctuation"] = gradient_log_fluctuation(norms, session.previous.get("gradient/norm_last"))
    if norms:
        session.previous["gradient/norm_last"] = norms[-1]
        clipped = sum(norm > session.learner.clip_norm for norm in norms)
        found["gradient/clipped"] = clipped / len(norms)
    if report.gradient is not None:
        found |= report.gradient.metrics() | session.smoother(report.gradient)
    return found


def update_metrics(session: Session, batch: RolloutBatch, report: UpdateReport) -> dict[str, float]:
    """Losses, updates left out, learning rate, and the critic's."""
    found = {f"loss/{name}": sum(parts) / len(parts) for name, parts in report.losses.items()}
    found |= {"optimizer/skipped": float(report.skipped), "optimizer/steps": float(len(report.rates))}
    if report.rates:
        found["optimizer/lr"] = report.rates[-1]
    if report.nonfinite:
        found["loss/nonfinite"] = 1.0
    return found | weight_box_metrics(session.learner.optimizer, session.ranks) | _critic_metrics(batch, report)


def no_update_metrics() -> dict[str, float]:
    """Of a refused batch."""
    return {"optimizer/skipped": 0.0, "optimizer/steps": 0.0}


def _critic_metrics(batch: RolloutBatch, report: UpdateReport) -> dict[str, float]:
    """Its loss, and 1 − Var(G − V)/Var(G) of the values that the advantages were made from."""
    values, returns = batch.experience.values, batch.advantage.returns
    if values is None or returns is None:
        return {}
    mask = batch.experience.mask
    spread = float(returns[mask].var())
    explained = 1.0 - float((returns - values)[mask].var()) / spread if spread > 0.0 else 0.0
    losses = [loss for loss in report.critic_losses if math.isfinite(loss)]
    return {
        "critic/loss": sum(losses) / len(losses) if losses else math.nan,
        "critic/explained_variance": explained,
    }


def divergence_metrics(batch: RolloutBatch, report: UpdateReport) -> dict[str, float]:
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
        | readings.damping_readings(last.weight, last.mask, last.left_out)
    )


def _entropy_metrics(batch: RolloutBatch, last: _TokensOfLastEpoch) -> dict[str, float]:
    """Of the whole network's policy: while an inner block's learns, as it was when it sampled."""
    if batch.experience.internal:
        return readings.entropy_readings(batch.sampled_logp, None, batch.own_tokens)
    return readings.entropy_readings(last.logp, last.entropy, last.mask)


class _TokensOfLastEpoch(NamedTuple):
    """Tokens as the last pass over the batch found them, before each of its steps, every tensor [B, T]."""

    logp: Tensor
    old_logp: Tensor
    entropy: Tensor
    weight: Tensor
    mask: Tensor
    left_out: Tensor  # those with an advantage that the loss does not count (Clip_B, Clip_V)


def _tokens_of_last_epoch(batch: RolloutBatch, report: UpdateReport) -> _TokensOfLastEpoch:
    """The tokens of the update's last pass over the batch, with the policy before it."""
    rows = torch.cat([forces.rows for forces in report.last_epoch])
    return _TokensOfLastEpoch(
        logp=torch.cat([forces.logp for forces in report.last_epoch]),
        old_logp=batch.experience.old_logp[rows],
        entropy=torch.cat([forces.entropy for forces in report.last_epoch]),
        weight=torch.cat([forces.weight for forces in report.last_epoch]),
        mask=batch.own_tokens[rows],
        left_out=(~batch.counted & (batch.advantage.values != 0))[rows],
    )


def mismatch_metrics(batch: RolloutBatch, report: UpdateReport) -> dict[str, float]:
    """Sampler against trainer on the first minibatch, which the trainer scores with the sampler's own weights."""
    if not report.first or batch.experience.internal:
        return {}
    rows = torch.cat([forces.rows for forces in report.first])
    trainer = torch.cat([forces.logp for forces in report.first])
    return sampler_mismatch(batch.rollout.logp[rows], trainer, batch.rollout.mask[rows])
