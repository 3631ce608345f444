"""Penalties, descended besides the policy's loss: a reduced term times a coefficient, or a mean held at its start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.objective.coefficient import Coefficient
from tvo_cli.objective.piece_output import per_token
from tvo_cli.objective.reduction import weighted_token_sum
from tvo_cli.objective.token_function import TokenFn, does_read_reference
from tvo_cli.types import Tokens


@dataclass(frozen=True, slots=True)
class Penalty:
    """c · reduce[R]: a term and how strongly it is descended."""

    awaits_start: ClassVar[bool] = False

    term: TokenFn
    coef: Coefficient

    def __call__(self, tokens: Tokens) -> Tensor:
        """What these tokens add to the loss, []."""
        found = per_token("algorithm.objective.penalties.*.term", self.term, self.term(tokens), tokens.mask)
        return self.coef.value * weighted_token_sum(found, tokens)

    @property
    def reads_reference(self) -> bool:
        """Whether the term can act and reads the frozen reference."""
        return self.coef.can_act and does_read_reference(self.term)

    def start(self, tokens: Tokens) -> None:
        """Nothing to remember."""

    def end_batch(self, entropy: float) -> None:
        """Let the coefficient adapt."""
        self.coef.update(entropy)

    def state_dict(self) -> dict[str, float]:
        """The coefficient's."""
        return self.coef.state_dict()

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.coef.load_state_dict(state)


@dataclass(slots=True)
class Anchored:
    """c · (X̄ − X_a)²: a mean of the minibatch is held where it was before the first update.

    `term` gives each token's summand of X̄ = Σ term (its own average: `reduce` does not apply). Tokens that are a
    slice of a minibatch add 2(X̄ − X_a)·x + (X_a² − X̄²)·rows/all rows, x their summands, X̄ of the whole without
    gradient: any split sums to the same value and gradient. anchor: X_a, null for the first rollout batch's own mean.

    c = 0 recovers the algorithm without it.
    """

    term: TokenFn
    coef: Coefficient
    anchor: float | None

    def __call__(self, tokens: Tokens) -> Tensor:
        """What these tokens add to the loss, []; 0 before the start is known, where X̄ = X_a."""
        whole = tokens.minibatch
        mean = masked.total(self.term(whole), whole.mask).detach()
        anchor = mean if self.anchor is None else mean.new_tensor(self.anchor)
        part = masked.total(self.term(tokens), tokens.mask)
        rows = len(tokens.mask) / len(whole.mask)
        return self.coef.value * (2 * (mean - anchor) * part + (anchor.square() - mean.square()) * rows)

    @property
    def awaits_start(self) -> bool:
        """Whether the anchor is still to be measured."""
        return self.anchor is None

    @property
    def reads_reference(self) -> bool:
        """Whether the term can act and reads the frozen reference."""
        return self.coef.can_act and does_read_reference(self.term)

    def start(self, tokens: Tokens) -> None:
        """Measure the anchor, once."""
        if self.anchor is None:
            self.anchor = float(masked.total(self.term(tokens), tokens.mask).detach())

    def end_batch(self, entropy: float) -> None:
        """Let the coefficient adapt."""
        self.coef.update(entropy)

    def state_dict(self) -> dict[str, float]:
        """The anchor, once there is one, and the coefficient's."""
        return self.coef.state_dict() | ({} if self.anchor is None else {"anchor": self.anchor})

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.coef.load_state_dict(state)
        self.anchor = state.get("anchor", self.anchor)
