"""A step in progress: what the loop holds between two updates, and what a checkpoint there must hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor

from tvo_cli.checkpoint.tensor_slice import HeldTensor
from tvo_cli.stability.gradient_noise import GradientNoiseReading
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.stopwatch import Stopwatch


class StepTokenForces(NamedTuple):
    """Log-probs, entropies and policy-gradient forces of one micro-batch's tokens, every tensor [b, T] and detached."""

    rows: Tensor
    logp: Tensor
    entropy: Tensor
    push: Tensor  # ∂L_policy/∂log π, the policy gradient's force on each token
    weight: Tensor  # push over that of the unclipped ρÂ: 0 where clipped, the mobility where damped, 1 where free


@dataclass(slots=True)
class UpdateReport:
    """What an update did: everything that the readings of a step are computed from."""

    gradient: GradientNoiseReading | None = None
    norms: list[float] = field(default_factory=list)
    losses: dict[str, list[float]] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    viscosities: list[float] = field(default_factory=list)
    divergences: list[float] = field(default_factory=list)  # mean binary TV before each step
    descent: float | None = None  # ‖∇F‖²_P at the first step, on-policy: −dF for each unit of η/ν, reward
    last_epoch: list[StepTokenForces] = field(default_factory=list)
    first: list[StepTokenForces] = field(default_factory=list)  # of the first minibatch, where π_θ = π_old
    skipped: int = 0
    skipped_last: int = 0  # of them, those since the last update that was taken
    nonfinite: str = ""  # what was not finite, of the first skipped step
    critic_losses: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StateSnapshot:
    """A copy of the state that a step begins with, off the training device: what learns, and the run's own."""

    tensors: dict[str, dict[str, HeldTensor]]  # by part: policy, optimizer, critic …
    state: dict[str, Any]


@dataclass(slots=True)
class StepInProgress:
    """The rollout buffer, the position in it, and what the updates so far have left behind."""

    batch: RolloutBatch
    clock: Stopwatch
    before: StateSnapshot | None = None  # the state that the first update started from, where somebody needs it
    position: int = 0  # updates done
    report: UpdateReport = field(default_factory=UpdateReport)
    replayed: RolloutBatch | None = None  # kept responses that the step learns from after its own batch
    replay_report: UpdateReport = field(default_factory=UpdateReport)
    refused: bool = False  # the update before it was taken back: the batch is counted, and not learnt from
