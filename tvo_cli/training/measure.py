"""A step's readings, the same for every algorithm: from the graded batch and from what the update left behind."""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.training.batch import Batch
from tvo_cli.training.session import Session
from tvo_cli.training.update import UpdateReport


def measure(session: Session, batch: Batch, report: UpdateReport) -> dict[str, float]:
    e=batch.experience
    correct=torch.tensor([v.correct for v in batch.verdicts]).float()
    m={"accuracy/fresh":float(correct.mean()),"reward/mean":float(e.rewards.mean()),
       "policy/entropy":-float(masked.mean(e.old_logp,e.mask)),
       "policy/tv":report.divergences[-1] if report.divergences else float("nan"),
       "gradient/norm":sum(report.norms)/max(len(report.norms),1),
       "optimizer/lr":report.rates[-1] if report.rates else 0.0}
    m|=session.learner.algorithm.step_rule.readings()
    for name,f in session.learner.algorithm.objective.forces.items():
        if hasattr(f,"beta"): m["control/beta"]=f.beta
    if report.gradient: m["gradient/variance"]=report.gradient.variance
    if session.neutral_ids:
        first=batch.rollout.response_ids[:,0]
        c=torch.tensor([float((first==i).sum()) for i in session.neutral_ids]); q=c/c.sum()
        m["neutral/entropy"]=-float((q*q.clamp(min=1e-12).log()).sum())
    return m
