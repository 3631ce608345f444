"""Token temperature: each token is sampled hotter or colder by how uncertain its distribution is among those before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from tvo_cli.errors import UserError
from tvo_cli.maths.entropy_level import EntropyLevels, entropy_levels


class TokenHeat(NamedTuple):
    """What the temperature of a token follows while a batch is sampled."""

    strength: float
    levels: EntropyLevels

    def factor(self, log_pi: Tensor) -> Tensor:
        """1 + τ·clip(h̃, −1, 1) of each row's distribution log π [n, V] at the sampling temperature, [n]."""
        entropy = -(log_pi.exp() * log_pi.clamp(min=-1e30)).sum(-1)
        return 1.0 + self.strength * self.levels.level(entropy).clamp(-1.0, 1.0)


@dataclass(slots=True)
class TokenTemperature:
    """T_t = T·(1 + τ·clip(h̃_t, −1, 1)), h̃ the level of the token's log-entropy in the batch before.

    HAPO, Liu et al. 2025, arXiv:2509.16591, its adaptive temperature. h̃ (maths/entropy_level.py) is above 0 for the
    uncertain fifth of the tokens, which are sampled hotter, and below for the certain ones, which are sampled colder.
    The first batch is sampled at T. Log-probabilities, and the ratio that the objective sees, stay those at T: the
    sampler is not corrected for, as in the released code.

    Fidelity: official code (agreement to 2e-6, in float32, of the factors of random distributions; that code reads
    entropies at a temperature of 1 and adds 1e-6 to the spread; its negative levels go by a negative scale, so that
    certain tokens count as uncertain ones: here they are sampled colder, as the paper's cases require. As it stands the
    code hands the levels on under a name that the sampler's metadata do not have).

    strength = 0 recovers T for every token.
    """

    strength: float  # τ
    quantile: float  # of log-entropy, what tells uncertain tokens
    levels: EntropyLevels | None = None  # of the batch before

    def __post_init__(self) -> None:
        """Every temperature is above 0."""
        if not 0.0 <= self.strength < 1.0:
            problem = "must be at least 0 and below 1, or the temperature of certain tokens is none."
            raise UserError("algorithm.token_temperature.strength", self.strength, problem)

    @property
    def heat(self) -> TokenHeat | None:
        """What the sampler follows; None where every token has the temperature T."""
        return TokenHeat(self.strength, self.levels) if self.levels is not None and self.strength else None

    def end_batch(self, entropy: Tensor, mask: Tensor) -> None:
        """A rollout batch of these entropies at T is done, [B, T]."""
        self.levels = entropy_levels(entropy, mask, self.quantile)

    def state_dict(self) -> dict[str, float]:
        """The levels; nothing before the first batch."""
        return {} if self.levels is None else self.levels._asdict()

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.levels = EntropyLevels(**state) if state else None
