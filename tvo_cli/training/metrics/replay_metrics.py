"""What self-imitation has kept, and what the updates from it came to."""

from __future__ import annotations

from tvo_cli.rollout.self_imitation import SelfImitation
from tvo_cli.training.step_state import StepInProgress


def replay_metrics(imitation: SelfImitation | None, work: StepInProgress) -> dict[str, float]:
    """Responses kept before the step, those learnt from in it, γ, and the loss of the replay where there was one."""
    if imitation is None:
        return {}
    report = work.replay_report
    found = {
        "replay/kept": float(len(imitation.kept)),
        "replay/used": 0.0 if work.replayed is None else float(len(work.replayed.experience.rewards)),
        "replay/weight": imitation.loss_weight(work.batch.experience.step),
    }
    if report.skipped:
        found["replay/skipped"] = float(report.skipped)
    losses = report.losses.get("policy", [])
    return found | ({"loss/replay": sum(losses) / len(losses)} if losses else {})
