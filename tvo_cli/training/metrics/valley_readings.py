"""Heat, temperature, heat capacity and entropic force of a run, against a frozen set of its own right responses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from tvo_cli.stability.valley import heat_fluctuation, heats_at_rate, river_forces
from tvo_cli.training.readings_state import FrozenRows, ReadingsState, microbatches_of_reading
from tvo_cli.training.session import Session
from tvo_cli.training.step_state import StepInProgress

SLOWER = 4  # times as long as the window: the mean that lies behind along the river
KEPT = 16  # heats of which a fluctuation is taken


def valley_readings(session: Session, state: ReadingsState, work: StepInProgress, *, due: bool) -> dict[str, float]:
    """Follow the weights; where a reading is due and right responses have been seen, read.

    `valley/heat` is the probe's loss at the weights less that at their running mean; `valley/heat_capacity` h/η, that
    over the rate. Temperature and directions are by its fluctuation over the last 16 readings, each heat brought to the
    rate of the last.
    """
    parameters = session.learner.policy.differentiated_parameters()
    follow_weights(state, parameters, session.limits.readings.window)
    if state.probe is None:
        state.probe = _right_responses(work, session.limits.readings.rows)
    if not due or state.probe is None or not work.report.rates:
        return {}
    loss, above = _loss_and_gradient(session, state.probe, parameters)
    with _weights_of(parameters, state.fast):
        bottom, below = _loss_and_gradient(session, state.probe, parameters)
    heat = loss - bottom
    rate = work.report.rates[-1]
    keep_heat(state, heat, rate)
    river = _flat([fast - slow for fast, slow in zip(state.fast, state.slow, strict=True)])
    forces = river_forces(above, below, river)
    found = {"valley/loss": loss, "valley/heat": heat, "valley/heat_capacity": heat / rate}
    found |= {"valley/force": forces.bottom, "valley/entropic_force": forces.entropic}
    fluctuation = heat_fluctuation(heats_at_rate(state.heats, state.rates, rate))
    if fluctuation is not None:
        found |= {"valley/temperature": fluctuation.temperature, "valley/directions": fluctuation.directions}
    return found


def keep_heat(state: ReadingsState, heat: float, rate: float) -> None:
    """Keep a heat with its rate, the last 16; heats of an older checkpoint, which has no rates, are left out."""
    known = len(state.rates)
    heats = state.heats[len(state.heats) - known :]
    state.heats, state.rates = [*heats, heat][-KEPT:], [*state.rates, rate][-KEPT:]


@torch.no_grad()
def follow_weights(state: ReadingsState, parameters: Sequence[Tensor], window: int) -> None:
    """θ̄ ← θ̄ + (θ − θ̄)/w, the fast mean over w batches and the slow one over 4w; both begin at the first weights."""
    if not state.fast:
        first, again = ([parameter.detach().clone() for parameter in parameters] for _ in range(2))
        state.fast, state.slow = first, again  # both, or neither where the memory ends
    for parameter, fast, slow in zip(parameters, state.fast, state.slow, strict=True):
        fast.lerp_(parameter.detach(), 1.0 / window)
        slow.lerp_(parameter.detach(), 1.0 / (SLOWER * window))


def _right_responses(work: StepInProgress, most: int) -> FrozenRows | None:
    """The first right responses of the batch; None where there is none."""
    rollout, verdicts = work.batch.drawn.chosen.rollout, work.batch.drawn.chosen.verdicts
    rows = [row for row, verdict in enumerate(verdicts) if verdict.correct][:most]
    if not rows:
        return None
    return FrozenRows(
        rollout.prompt_ids[rows].clone(),
        rollout.prompt_mask[rows].clone(),
        rollout.response_ids[rows].clone(),
        rollout.mask[rows].clone(),
    )


def _loss_and_gradient(session: Session, probe: FrozenRows, parameters: Sequence[Tensor]) -> tuple[float, Tensor]:
    """Mean −log π of the probe's tokens in nats, and its gradient [D]; nothing is left in .grad."""
    policy, total = session.learner.policy, probe.mask.sum()
    loss, gradient = 0.0, [torch.zeros_like(parameter) for parameter in parameters]
    for part in microbatches_of_reading(len(probe.mask), session.passes.microbatch_rows):
        with session.learner.autocast():
            scores = policy.score(
                probe.prompt_ids[part],
                probe.prompt_mask[part],
                probe.response_ids[part],
                probe.mask[part],
                session.passes.temperature,
            )
            share = -torch.where(probe.mask[part], scores.logp, 0.0).sum() / total
        for sum_, one in zip(gradient, torch.autograd.grad(share, list(parameters), allow_unused=True), strict=True):
            if one is not None:
                sum_ += one
        loss += float(share.detach())
    return loss, _flat(gradient)


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    """The right responses' gradient over all parameters as one vector, for the valley's heat."""
    return torch.cat([one.flatten().float() for one in tensors])


@contextmanager
def _weights_of(parameters: Sequence[Tensor], others: Sequence[Tensor]) -> Iterator[None]:
    """Inside: other weights in the place of the parameters, which come back as they were."""
    kept = [parameter.detach().clone() for parameter in parameters]
    _put(parameters, others)
    try:
        yield
    finally:
        _put(parameters, kept)


@torch.no_grad()
def _put(parameters: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Put values into the parameters, for a reading at another point of the valley."""
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)
