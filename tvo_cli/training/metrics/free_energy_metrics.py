"""F of a batch, how much of it the update before has dissipated, and how much that update promised to."""

from __future__ import annotations

from tvo_cli.stability import dissipation, free_energy_of_batch, predicted_free_energy_dissipation
from tvo_cli.stability.free_energy import FreeEnergy
from tvo_cli.training.session import Session
from tvo_cli.training.step_state import StepInProgress

PROMISED = "predicted_dissipation"  # of the update after a batch, until the next one shows what it came to


def free_energy_metrics(session: Session, work: StepInProgress) -> dict[str, float]:
    """Free energy of this on-policy batch, how much of it the last update dissipated, and how much it promised to."""
    batch, previous, own = work.batch, session.previous, work.batch.own_rows
    experience = batch.experience
    now = free_energy_of_batch(
        *(experience.rewards[own], batch.sampled_logp[own], experience.mask[own]),
        session.learner.algorithm.objective.temperature,
    )
    found = now.metrics() | session.learner.algorithm.step_rule.readings()
    if "energy" in previous:
        before = FreeEnergy(previous["energy"], previous["entropy"], now.temperature)
        found["thermo/dissipation"] = dissipation(before, now)
    if PROMISED in previous:
        found["thermo/predicted_dissipation"] = previous.pop(PROMISED)
    if not work.refused:
        previous |= {"energy": now.energy, "entropy": now.entropy}
    if work.report.descent is not None or work.refused:  # nothing was updated after a refused batch
        rates, descent = work.report.rates, work.report.descent or 0.0
        previous[PROMISED] = predicted_free_energy_dissipation([descent] * len(rates), rates, per_reward=1.0)
    return found
