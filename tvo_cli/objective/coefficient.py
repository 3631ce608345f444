"""Coefficients of forces and penalties: numbers that a run may adapt between rollout batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tvo_cli.errors import UserError


class Coefficient(Protocol):
    """A number that may be adapted between batches."""

    @property
    def value(self) -> float: ...

    @property
    def can_act(self) -> bool: ...

    def update(self, entropy: float) -> None: ...

    def state_dict(self) -> dict[str, float]: ...

    def load_state_dict(self, state: Mapping[str, float]) -> None: ...


@dataclass(slots=True)
class Constant:
    """A coefficient that stays."""

    value: float

    @property
    def can_act(self) -> bool:
        """Whether it is other than 0."""
        return self.value != 0.0

    def update(self, entropy: float) -> None:
        """Nothing to adapt."""

    def state_dict(self) -> dict[str, float]:
        """Nothing changes, nothing is carried: the configuration is the truth."""
        return {}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Nothing to restore."""


@dataclass(slots=True)
class Cooled:
    """c_k = first + (last − first) · min(k/batches, 1), k rollout batches done: linear cooling, of either sign.

    first = last recovers a constant.
    """

    first: float
    last: float
    batches: int
    done: int = 0

    def __post_init__(self) -> None:
        """Refuse a cooling that takes no time."""
        if self.batches < 1:
            raise UserError("coef.batches", self.batches, "must be a number of rollout batches, at least 1.")

    @property
    def value(self) -> float:
        """c of the batch under way."""
        return self.first + (self.last - self.first) * min(self.done / self.batches, 1.0)

    @property
    def can_act(self) -> bool:
        """Whether it is other than 0, or comes to be."""
        return (self.first, self.last) != (0.0, 0.0)

    def update(self, entropy: float) -> None:
        """A rollout batch is done."""
        self.done += 1

    def state_dict(self) -> dict[str, float]:
        """The batches done."""
        return {"done": float(self.done)}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.done = int(state["done"])


@dataclass(slots=True)
class EntropyTarget:
    """c ← clip(c + rate · (H* − H), low, high), once a batch: dual ascent on the constraint H ≥ H*, nats a token.

    Haarnoja et al. 2018, arXiv:1812.05905, section 5, for −H as penalty. target null: the first batch's entropy, as in
    the ablation of SIREN (arXiv:2509.25133); 0.25–1 in arXiv:2510.08141, which reaches it by sampling at other
    temperatures instead. H is the mean −log π of the rollout batch's own tokens: unbiased, no full entropy needed.

    Fidelity: notes (additive as SIREN's ablation does it; SAC moves log c by Adam).

    rate = 0 recovers a constant.
    """

    value: float
    target: float | None  # H*
    rate: float  # of c, per nat and batch
    low: float
    high: float

    @property
    def can_act(self) -> bool:
        """Whether it is other than 0, or may come to be."""
        return self.value != 0.0 or (self.rate != 0.0 and (self.low, self.high) != (0.0, 0.0))

    def update(self, entropy: float) -> None:
        """Move once, after a rollout batch of mean token entropy `entropy`."""
        self.target = entropy if self.target is None else self.target
        self.value = min(max(self.value + self.rate * (self.target - entropy), self.low), self.high)

    def state_dict(self) -> dict[str, float]:
        """c, and H* once it is known."""
        return {"value": self.value} | ({} if self.target is None else {"target": self.target})

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.value, self.target = state["value"], state.get("target", self.target)


@dataclass(slots=True)
class EntropyThermostat:
    """T ← clip(T + rate · (share · H₀ − H) / H₀, low, high), once a batch; H₀ is the first batch's entropy.

    docs/tvo.md, section 6; entropy in nats a token. rate = 0 recovers a constant.
    """

    value: float
    rate: float
    share: float
    low: float
    high: float
    initial_entropy: float = 0.0

    def update(self, entropy: float) -> None:
        """Move once, after a rollout batch of mean token entropy `entropy`."""
        if self.initial_entropy == 0.0:
            self.initial_entropy = max(entropy, 1e-6)
        move = self.rate * (self.share * self.initial_entropy - entropy) / self.initial_entropy
        self.value = min(max(self.value + move, self.low), self.high)

    def state_dict(self) -> dict[str, float]:
        """Temperature and the entropy it started from."""
        return {"value": self.value, "initial_entropy": self.initial_entropy}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.value, self.initial_entropy = state["value"], state["initial_entropy"]
