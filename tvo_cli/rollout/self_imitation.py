"""Self-imitation: good responses of the last batches are kept, and learnt from once more when there are enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields

import torch
from torch import Tensor

from tvo_cli.errors import UserError
from tvo_cli.types import Tokens

FULL = 1.5  # times `size`: so many responses above the median, and the buffer is used


@dataclass(frozen=True, slots=True)
class KeptResponses:
    """N responses with what learning from them again needs, off the training device; the prompts left-padded."""

    prompt_ids: Tensor  # int64 [N, L]
    prompt_mask: Tensor  # bool [N, L]
    response_ids: Tensor  # int64 [N, T]
    mask: Tensor  # bool [N, T]
    old_logp: Tensor  # float32 [N, T], of the policy that sampled them
    rewards: Tensor  # float32 [N]
    steps: Tensor  # int64 [N], the batch they are of

    def __len__(self) -> int:
        return len(self.rewards)

    def rows(self, which: Tensor) -> KeptResponses:
        """Some of them."""
        return KeptResponses(*(getattr(self, one.name)[which] for one in fields(self)))

    def joined(self, others: KeptResponses) -> KeptResponses:
        """These, then others, padded to one width on the side where each is padded."""
        left, right = ("prompt_ids", "prompt_mask"), ("response_ids", "mask", "old_logp")
        columns = {}
        for name in (one.name for one in fields(self)):
            pair = [getattr(self, name), getattr(others, name)]
            if name in left or name in right:
                width = max(column.shape[1] for column in pair)
                missing = [width - column.shape[1] for column in pair]
                sides = [(gap, 0) if name in left else (0, gap) for gap in missing]
                pair = [torch.nn.functional.pad(column, side) for column, side in zip(pair, sides)]
            columns[name] = torch.cat(pair)
        return KeptResponses(**columns)

    @classmethod
    def none(cls) -> KeptResponses:
        """No response."""
        ids, seen = torch.zeros(0, 0, dtype=torch.int64), torch.zeros(0, 0, dtype=torch.bool)
        return cls(ids, seen, ids, seen, torch.zeros(0, 0), torch.zeros(0), torch.zeros(0, dtype=torch.int64))


@dataclass(slots=True)
class SelfImitation:
    """Â_j = R_j − m of kept responses, learnt from with γ_t·L once more than 1.5·size of them have R > m; then emptied.

    SPEAR, arXiv:2509.22601. m is the median of the last group means; kept are responses with Â > 0. Before a
    batch is taken in, those leave that are more than `tolerance` batches older than the newest kept, as released: up to
    tolerance + 2 batches are held, and older ones where the last had no good response; counted from the batch under way
    it would be tolerance + 1. Of those with Â_j ≥ 0 the largest power of two, at most `size`, is drawn; γ_t =
    strength·(1 − cos(π·t/rise))/2, then strength. `weight` takes the place of the objective's.

    Fidelity: official code (as `tvo_cli.methods.spear.spear`, which is the weight).

    strength = 0 recovers the base. Rewards of which the median is the largest are never learnt from again.
    """

    size: int  # N_D, responses
    tolerance: int  # batches that one may be older than the newest kept, when the next is taken in
    baselines: int  # N_base, group means that the median is of
    strength: float  # of γ
    rise: float  # T1, batches over which γ rises
    weight: Callable[[Tokens], Tensor]
    kept: KeptResponses = field(default_factory=KeptResponses.none)
    means: Tensor = field(default_factory=lambda: torch.zeros(0))  # float32, of groups, oldest first
    mean_steps: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))  # the batch of each

    def __post_init__(self) -> None:
        """Found when it is built, not once the buffer is full."""
        if not callable(self.weight):
            problem = "is no function of tokens. Kept responses are weighed by it."
            remedy = "Take tvo_cli.methods.spear.spear, as algorithm=spear does, or algorithm.self_imitation=null."
            raise UserError("algorithm.self_imitation.weight", self.weight, problem, remedy)

    @property
    def baseline(self) -> float:
        """m; nan before the first batch."""
        return float(self.means.double().quantile(0.5)) if len(self.means) else math.nan

    @property
    def is_full(self) -> bool:
        """Whether there are enough good responses to learn from."""
        return int((self.kept.rewards.double() > self.baseline).sum()) > FULL * self.size

    def loss_weight(self, step: int) -> float:
        """γ of the batch after so many others."""
        ramp = (1.0 - math.cos(math.pi * (step + 1) / self.rise)) / 2 if step < self.rise else 1.0
        return self.strength * ramp

    def draw(self, generator: torch.Generator) -> tuple[KeptResponses, Tensor] | None:
        """Kept responses and their Â, [N] float32; None while the buffer is not full."""
        if not self.strength or not self.is_full:
            return None
        advantage = self.kept.rewards.double() - self.baseline
        good = (advantage >= 0).nonzero().flatten()
        count = min(self.size, 1 << (len(good).bit_length() - 1))
        chosen = good[torch.randperm(len(good), generator=generator)[:count]].sort().values
        return self.kept.rows(chosen), advantage[chosen].float()

    def end_batch(self, batch: KeptResponses, advantage: Tensor, group_means: Tensor, *, drawn: bool) -> None:
        """Take in a batch, [B], and its groups' mean rewards, [P]; after a draw only this batch is kept."""
        step = batch.steps[:1]
        self._take_means(group_means.float().cpu(), step)
        kept = KeptResponses.none() if drawn else self.kept
        if len(kept):
            kept = kept.rows(kept.steps >= kept.steps.max() - self.tolerance)
        good = batch.rows(advantage.cpu() > 0)
        self.kept = kept.joined(good) if len(kept) else good

    def forget(self) -> None:
        """Empty the buffer after a draw."""
        self.kept = KeptResponses.none()

    def _take_means(self, means: Tensor, step: Tensor) -> None:
        """Add group means, the oldest batches' leave while there are more than `baselines` before."""
        while len(self.means) > self.baselines:
            later = self.mean_steps > self.mean_steps[0]
            self.means, self.mean_steps = self.means[later], self.mean_steps[later]
        self.means = torch.cat([self.means, means])
        self.mean_steps = torch.cat([self.mean_steps, step.expand(len(means))])

    def tensors(self) -> dict[str, Tensor]:
        """All that it carries from batch to batch."""
        kept = {f"kept.{one.name}": getattr(self.kept, one.name) for one in fields(self.kept)}
        return kept | {"means": self.means, "mean_steps": self.mean_steps}

    def load_tensors(self, held: Mapping[str, Tensor]) -> None:
        """Restore `tensors`."""
        self.kept = KeptResponses(**{one.name: held[f"kept.{one.name}"] for one in fields(KeptResponses)})
        self.means, self.mean_steps = held["means"], held["mean_steps"]
