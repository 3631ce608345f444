"""Metrics of a step's updates: gradients, losses, learning rate, the critic."""

from __future__ import annotations

import math

from tvo_cli.stability import gradient_log_fluctuation
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.session import Session
from tvo_cli.training.step_state import UpdateReport
from tvo_cli.training.weight_box import weight_box_metrics


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
