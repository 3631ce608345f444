"""Sampler and trainer apart: the same weights give other probabilities where responses are sampled.

The policy gradient is then that of another policy (arXiv:2510.26788 and vLLM against FSDP: off-policy without a
step). Apart from the start on: precision, temperature, a kernel. Apart more and more is `stale_weights`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tvo_cli.diagnosis.failure import Failure
from tvo_cli.diagnosis.finding import Finding, Remedy
from tvo_cli.diagnosis.setting_changes import change, ours
from tvo_cli.diagnosis.training_log import RunFacts
from tvo_cli.stability.rule_interface import CollapseRule, LimitRule, RuleBreach, finite_metric

NATS, PROBABILITY, KL = "policy/mismatch", "policy/mismatch_probability", "policy/mismatch_kl"
# bfloat16 shows 0.001 nats here and 0.005 of probability is called normal by verl's documentation, 0.01 a fault; of
# KL, ½E[Δ²] for small Δ: one step off-policy shows up to 0.05.
LIMITS = {NATS: 0.05, PROBABILITY: 0.01, KL: 0.1}
GROWN = 5.0  # times its start: weights that lag, not precision
# What has grown so much is no longer the machine's rounding, and counts from two fifths of the limit on: 0.02 nats.
SHARE_WHEN_GROWN = 0.4


@dataclass(kw_only=True)
class SamplerMismatch(LimitRule):
    """A reading of the mismatch above its limit: as at the start, or, where `grown`, many times more."""

    grown: bool
    factor: float = GROWN
    first: list[float] = field(default_factory=list, init=False)

    def breach(self, metrics: Mapping[str, float]) -> RuleBreach | None:
        """Apart."""
        value = finite_metric(metrics, self.metric)
        if value is None:
            return None
        if len(self.first) < 3:
            self.first.append(value)
        if value <= self.limit:
            return None
        start = sorted(self.first)[len(self.first) // 2]
        grown = value > self.factor * max(start, 1e-12)
        if grown != self.grown:
            return None
        reason = f"has grown from {start:.2g}" if grown else "sampler and trainer differ at the same weights"
        return RuleBreach(self.metric, value, self.limit, reason)


def mismatch_rules(*, grown: bool) -> list[CollapseRule]:
    """Return a rule for each reading of the mismatch."""
    return [
        SamplerMismatch(
            severity="warning",
            metric=metric,
            limit=limit * SHARE_WHEN_GROWN if grown else limit,
            grown=grown,
            patience=3,
        )
        for metric, limit in LIMITS.items()
    ]


def _rules(facts: RunFacts) -> Sequence[CollapseRule]:
    return mismatch_rules(grown=False)


def _remedies(facts: RunFacts, finding: Finding) -> Sequence[Remedy]:
    return (
        change(facts, "sampler correction", "weigh responses by what the trainer gives them, cut at 2", value=True),
        ours(facts, "take log π_old of the trainer", "trainer.old_logp=trainer"),
        Remedy("the same temperature, top-p and precision in both; float16 or float32 where bfloat16 is too coarse"),
    )


SAMPLER_MISMATCH = Failure(
    name="sampler_mismatch",
    meaning="Sampler and trainer give the same tokens other probabilities, from the start on.",
    needs=((NATS, PROBABILITY, KL),),
    rules=_rules,
    remedies=_remedies,
    sources=("arXiv:2510.26788",),
)
