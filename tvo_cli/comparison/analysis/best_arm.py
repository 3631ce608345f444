"""The arm that is best and separated from every other arm, if there is one."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from statistics import fmean

from tvo_cli.comparison.analysis.arms_and_blocks import ArmAtRate
from tvo_cli.comparison.analysis.contrast_over_seeds import SeedContrast, contrast_by_seed, with_holm_over_family
from tvo_cli.comparison.analysis.metric_choice import MetricChoice

ValuesBySeed = Mapping[str, float]


def best_arm(arms: Mapping[str, tuple[ArmAtRate, ValuesBySeed]], how: MetricChoice) -> str | None:
    """Return the arm of the best mean where its difference from each other arm is separated, else None.

    The best is chosen by looking at all arms, so Holm's family is all pairs of them. A run that is not finished may
    still change the order: an arm that waits for one is separated from none.
    """
    known = {arm: fmean(values.values()) for arm, (_, values) in arms.items() if values}
    if len(arms) < 2 or len(known) < len(arms):
        return None
    top = how.best_of(known.values())
    best = next(arm for arm, mean in known.items() if mean == top)
    pairs = [contrast_by_seed(arms[a][0], arms[b][0], arms[a][1], arms[b][1], how) for a, b in combinations(arms, 2)]
    against_others = [one for one in with_holm_over_family(pairs) if best in (one.a.arm, one.b.arm)]
    return best if all(_is_settled_for(best, one, how) for one in against_others) else None


def _is_settled_for(arm: str, contrast: SeedContrast, how: MetricChoice) -> bool:
    """Whether the difference is separated and the arm's: over the seeds that both have its sign may be another."""
    ahead = contrast.over_seeds.difference * (1 if contrast.a.arm == arm else -1) * (-1 if how.less else 1)
    return contrast.separated and ahead > 0 and not any(contrast.pending)
