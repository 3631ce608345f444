"""The Lyapunov condition, read on fresh rollouts: did F rise in one update, or in a row of them? Both calibrated.

A rollout batch is an unbiased reading of the policy that sampled it. Its prompts are the independent unit: responses
to one prompt are correlated, so a prompt counts as one value, the mean over its responses.
docs/decisions/refused-updates.md derives both tests and has their false alarms, by simulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from tvo_cli.maths.permutation_test import permutation_z, score_z

WINDOW = 10  # batches that a slow decline is measured against
ALLOWANCE = 0.5  # standard errors a batch that a slow decline must exceed to add up
LARGEST_TERM = 2.0  # what one batch adds at most: a sudden rise is the other test's


@dataclass(frozen=True, slots=True)
class FreeEnergySample:
    """F of one policy by prompts: what its responses to each of P prompts came to on average."""

    energies: Tensor  # float64 [P], −mean reward
    surprises: Tensor  # float64 [P], mean −log π of a whole response, nats

    def at(self, temperature: float) -> Tensor:
        """F = U − T·S of each prompt, [P], at one temperature for all samples that are compared."""
        return self.energies - temperature * self.surprises


class ConditionReading(NamedTuple):
    """A batch against those before it."""

    z: float | None  # standard errors by which F is above the batch before; None: there was none
    drift: float  # the CUSUM of a slow rise


def free_energy_sample(
    rewards: Sequence[float], surprises: Tensor, group: Tensor, judged: Sequence[bool]
) -> FreeEnergySample | None:
    """The sample of a batch, from those responses that the grader could judge; None with fewer than two prompts.

    Args:
        rewards: B rewards.
        surprises: [B], −log π of each whole response under the policy that sampled it.
        group: int64 [B], the prompt of each.
        judged: B times whether the grader could judge the response: its failure is no reward of 0.
    """
    counts = torch.tensor(judged, device=group.device)
    if not bool(counts.any()):
        return None
    prompts, index = group[counts].unique(return_inverse=True)
    if len(prompts) < 2:
        return None
    energies = -torch.tensor(rewards, dtype=torch.float64, device=group.device)[counts]
    means = [_mean_by_prompt(values, index, len(prompts)) for values in (energies, surprises.double()[counts])]
    return FreeEnergySample(*(one.cpu() for one in means))


def _mean_by_prompt(values: Tensor, index: Tensor, prompts: int) -> Tensor:
    """The mean of a term of F over the responses to each prompt, [P]."""
    total = torch.zeros(prompts, dtype=values.dtype, device=values.device).index_add_(0, index, values)
    return total / torch.bincount(index, minlength=prompts)


@dataclass(slots=True)
class LyapunovCondition:
    """The samples that the next batch is compared with, and the CUSUM so far.

    z: exact permutation test of the batch against the one before it. drift: Page's CUSUM (1954, Biometrika 41),

        S ← max(0, S + min(z', 2) − ½),   z' the score test of the batch against the last ten together.

    The ten move on with every batch: frozen where S leaves 0, a lucky ten would condemn every batch after them.
    """

    last: FreeEnergySample | None = None
    window: list[FreeEnergySample] = field(default_factory=list)
    drift: float = 0.0

    def read(self, sample: FreeEnergySample, temperature: float) -> ConditionReading:
        """Compare a batch; nothing is remembered of it."""
        fresh = sample.at(temperature)
        z = None if self.last is None else permutation_z(fresh, self.last.at(temperature))
        return ConditionReading(z, self._drift_after(fresh, temperature))

    def _drift_after(self, fresh: Tensor, temperature: float) -> float:
        if not self.window:
            return 0.0
        term = score_z(fresh, torch.cat([one.at(temperature) for one in self.window]))
        return max(0.0, self.drift + min(term, LARGEST_TERM) - ALLOWANCE)

    def accept(self, sample: FreeEnergySample, drift: float) -> None:
        """The batch is one that the next is compared with."""
        self.last, self.drift = sample, drift
        self.window = [*self.window, sample][-WINDOW:]

    def forget_newest(self, batches: int) -> None:
        """The policies of the newest batches were taken back: nothing is compared with them."""
        self.window = self.window[: max(len(self.window) - batches, 0)]
        self.last, self.drift = None, 0.0
