"""The optional readings' settings, the micro-batches that they forward, and the state that they carry over steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

from tvo_cli.memory.branches_replay_readings import READ_ROWS

if TYPE_CHECKING:
    from tvo_cli.training.session import Session


@dataclass(frozen=True, slots=True)
class ReadingsSettings:
    """What the optional readings are asked to read: `readings` of conf/stability/default.yaml has each field."""

    policy_cliff: bool = False
    support: bool = False
    layer_entropy: bool = False
    spectral_entropy: bool = False
    valley: bool = False
    lion: bool = False
    every: int = 10
    rows: int = 64
    temperature: float = 0.1
    perturbation: float = 0.01
    narrow: float = 0.05
    diffusion_time: float = 1.0
    window: int = 10

    @classmethod
    def of(cls, node: Any) -> ReadingsSettings:
        """Of the group `readings` of conf/stability."""
        return cls(**{name: node[name] for name in cls.__slots__ if name in node})


def microbatches_of_reading(rows: int, microbatch_rows: int) -> Iterator[slice]:
    """The micro-batches in which an optional reading forwards so many rows: the run's own, of 16 where none is set."""
    size = microbatch_rows or READ_ROWS
    return (slice(first, first + size) for first in range(0, rows, size))


@dataclass(slots=True)
class FrozenRows:
    """Prompts and responses that a probe keeps for the whole run."""

    prompt_ids: Tensor  # int64 [N, L], left-padded
    prompt_mask: Tensor  # bool [N, L]
    response_ids: Tensor  # int64 [N, T], right-padded
    mask: Tensor  # bool [N, T]


@dataclass(slots=True)
class ReadingsState:
    """What the optional readings carry from step to step; all of it is in a checkpoint."""

    solved: dict[str, dict[str, bool]] = field(default_factory=dict)  # at the first evaluation, by test set and problem
    prompts: FrozenRows | None = None  # whose representations are looked at; its responses are of no account
    width: float = 0.0  # σ of the spectral entropy, frozen at the first reading
    probe: FrozenRows | None = None  # right responses of the start, whose loss is the energy of the valley
    fast: list[Tensor] = field(default_factory=list)  # running mean of the weights: the valley's bottom
    slow: list[Tensor] = field(default_factory=list)  # one over four times as long, behind it along the river
    heats: list[float] = field(default_factory=list)  # the last of them, nats
    rates: list[float] = field(default_factory=list)  # at which each was read


def readings_state_of_run(session: Session) -> ReadingsState:
    """The state that the optional readings of a run carry, made when it is first needed."""
    if session.readings is None:
        session.readings = ReadingsState()
    return session.readings
