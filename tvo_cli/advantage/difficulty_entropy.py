"""ARES's reward: how many uncertain windows a response may have follows from how hard its problem is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tvo_cli.maths import groups
from tvo_cli.types import Experience

LEVELS = ("easy", "medium", "hard")  # at least 2/3, 1/3, 0 of a group's responses are right
MARGIN = {"easy": 0.15, "medium": 0.25, "hard": 0.35}  # of the target; at least 1
KNEE = {"easy": 2.0, "medium": 3.0, "hard": 4.0}  # of the Huber penalty
SOFTNESS = {"easy": 2.0, "medium": 2.5, "hard": 3.0}  # of the saturating bonus
CAP = {"easy": 1.0, "medium": 1.0, "hard": 1.2}  # of α
WRONG = {"easy": 0.6, "medium": 0.8, "hard": 1.0}  # of the cap, for exploring without success


@dataclass(slots=True)
class DifficultyEntropyReward:
    """R + s(n, n*, difficulty): n counts a response's uncertain windows, n* is their mean in groups of its difficulty.

    ARES, arXiv:2510.08457. A token opens an uncertain window where the mean entropy of the `window` tokens after it is
    at least θ, the running median (EMA) over responses of the `percentile` of those means. With δ = n − n*, a margin
    and a cap α: a right answer to an easy problem loses for δ above the margin, to a medium one for |δ| above it; a
    right answer to a hard problem gains for exploring enough, and loses below; a wrong answer gains for exploring.
    α moves by `rate` times how far a difficulty's windows are from their target, which is their rounded mean.

    Fidelity: official code (its reward function as released, and its clip; every token counts where that counts those
    of a list of trigger words, θ is from the first batch where that takes a validation's and of whole windows alone
    where that adds, for each token without one, the mean of those before, and groups are drawn until they hold right
    and wrong answers, where that filters by the mean shaped reward. Its KL loss of 0.01, weighed by difficulty, is left
    out. A wrong answer that explored nothing gains half of its cap, as released). A trap of the released configuration:
    with `online_filtering: true` the rewards are computed while the batch is drawn, before difficulty, n* and α exist,
    and are kept; every problem is then scored as easy with n* = 0 and α = 0.5. Here, as the method says, they come
    first.

    start = 0 with rate 0 recovers R.
    """

    window: int
    percentile: float  # of a response's window means, in [0, 1]
    average: float  # EMA of θ
    start: float  # α
    rate: float
    largest: float  # α
    threshold: float | None = None  # θ
    strengths: dict[str, float] = field(default_factory=dict)  # α by difficulty, once it has moved

    def __call__(self, experience: Experience) -> Tensor:
        """The shaped rewards, [B]."""
        if experience.old_entropy is None or experience.correct is None:
            raise ValueError("algorithm.objective.reads.old_entropy must be true for ARES")
        counts, levels, targets = self._count(experience)
        strength = self._strengths_for(counts, levels, targets, experience.group)
        added = [
            score_of_windows(count - targets[level], targets[level], level, right, strength[level])
            for count, right, level in zip(counts.tolist(), experience.correct.tolist(), levels)
        ]
        return experience.rewards + experience.rewards.new_tensor(added)

    def _count(self, experience: Experience) -> tuple[Tensor, list[str], dict[str, float]]:
        """Uncertain windows of each response, its problem's difficulty, and the target of each difficulty."""
        means, whole = self._window_means(experience)
        threshold = self._threshold_of(means, whole) if self.threshold is None else self.threshold
        counts = ((means >= threshold) & whole).sum(1).double()
        accuracy = groups.group_mean(experience.correct.double(), experience.group)  # type: ignore[union-attr]
        of_group = [LEVELS[0 if share >= 2 / 3 else 1 if share >= 1 / 3 else 2] for share in accuracy.tolist()]
        mean = groups.group_mean(counts, experience.group).tolist()
        targets = {level: float(round(_mean_count_of_difficulty(mean, of_group, level))) for level in set(of_group)}
        return counts, [of_group[p] for p in experience.group.tolist()], targets

    def _strengths_for(
        self, counts: Tensor, levels: list[str], targets: Mapping[str, float], group: Tensor
    ) -> dict[str, float]:
        """α of each difficulty in this batch."""
        mean, of_group = groups.group_mean(counts, group).tolist(), dict(zip(group.tolist(), levels))
        found = {level: self.strengths.get(level, self.start) for level in LEVELS}
        for level, target in targets.items():
            excess = _mean_count_of_difficulty(mean, [of_group[p] for p in range(len(mean))], level) - target
            move = self.rate * (excess if level != "hard" else -excess)
            found[level] = min(max(found[level] + move, 0.0), self.largest)
        return found

    def _window_means(self, experience: Experience) -> tuple[Tensor, Tensor]:
        """Mean entropy of the tokens after each, and where there are enough of them; both [B, T]."""
        entropy = torch.where(experience.mask, experience.old_entropy, 0.0)  # type: ignore[arg-type]
        padded = torch.nn.functional.pad(entropy.cumsum(1), (1, self.window))
        padded[:, -self.window :] = padded[:, -self.window - 1 : -self.window]
        width = entropy.shape[1]
        sums = padded[:, self.window + 1 : self.window + 1 + width - 1] - padded[:, 1:width]
        means = torch.nn.functional.pad(sums / self.window, (0, 1))
        left = experience.mask.flip(1).cumsum(1).flip(1) - 1  # tokens after each
        return means, (left >= self.window) & experience.mask

    def _threshold_of(self, means: Tensor, whole: Tensor) -> float:
        """Median over responses of the percentile of their window means; 0 without a whole window."""
        found = [torch.quantile(row[seen].float(), self.percentile) for row, seen in zip(means, whole) if seen.any()]
        return float(torch.stack(found).median()) if found else 0.0

    def end_batch(self, experience: Experience) -> None:
        """Carry θ and α over."""
        counts, levels, targets = self._count(experience)
        self.strengths = self._strengths_for(counts, levels, targets, experience.group)
        found = self._threshold_of(*self._window_means(experience))
        before = found if self.threshold is None else self.threshold
        self.threshold = self.average * before + (1 - self.average) * found

    def state_dict(self) -> dict[str, float]:
        """θ and α, once there was a batch."""
        return dict(self.strengths) | ({} if self.threshold is None else {"threshold": self.threshold})

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore `state_dict`."""
        self.strengths = {level: state[level] for level in LEVELS if level in state}
        self.threshold = state.get("threshold")


def score_of_windows(excess: float, target: float, level: str, right: bool, strength: float) -> float:
    """ARES's s of a response with so many uncertain windows above its target, in units of reward."""
    margin, cap = max(1.0, MARGIN[level] * max(target, 1.0)), strength * CAP[level]
    room = margin + KNEE[level]
    if not right:
        return _saturating(max(excess - margin, 0.0), level) * cap * WRONG[level]
    if level == "hard":
        if excess >= -margin:
            return _saturating(excess + margin, level) * cap
        return -min(cap, 0.5 * _huber(-excess - margin, level) / room * cap)
    away = excess if level == "easy" else abs(excess)
    return -min(cap, _huber(max(away - margin, 0.0), level) / room * cap)


def _huber(x: float, level: str) -> float:
    """Huber's loss of how far a response's uncertain windows are from what its problem's difficulty allows."""
    knee = KNEE[level]
    return 0.5 * x * x / knee if x <= knee else x - 0.5 * knee


def _saturating(x: float, level: str) -> float:
    """ARES's saturation of a count of windows at a level of difficulty: σ(x/softness)."""
    return 1.0 / (1.0 + math.exp(-x / SOFTNESS[level]))


def _mean_count_of_difficulty(values: list[float], levels: list[str], level: str) -> float:
    """The mean of ARES's counts of windows over the groups whose problem is of one difficulty."""
    own = [value for value, its in zip(values, levels) if its == level]
    return sum(own) / len(own)
