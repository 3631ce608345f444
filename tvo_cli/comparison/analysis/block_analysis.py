"""Analysis of one block: the arms at their own best rate and at each shared one, and every contrast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tvo_cli.comparison.analysis import contrast_over_problems, contrast_over_seeds, rate_choice, rate_robustness
from tvo_cli.comparison.analysis.arms_and_blocks import Arm, ArmAtRate, Block
from tvo_cli.comparison.analysis.contrast_over_problems import ProblemContrast
from tvo_cli.comparison.analysis.contrast_over_seeds import SeedContrast
from tvo_cli.comparison.analysis.metric_choice import MetricChoice
from tvo_cli.comparison.analysis.rate_choice import ArmAtChosenRate
from tvo_cli.comparison.analysis.rate_robustness import RateRobustness
from tvo_cli.config import nearest_names
from tvo_cli.errors import UserError

USUAL_BASELINES = ("grpo", "ppo")


@dataclass(frozen=True, slots=True)
class BlockAnalysis:
    """The analysis of a block: everything that the report says of it."""

    block: Block
    how: MetricChoice
    baseline: Arm
    chosen: Mapping[str, ArmAtChosenRate]  # arm → the arm at its own rate
    own: Sequence[SeedContrast]  # every other arm against the baseline, each at its own rate
    problems: Mapping[str, ProblemContrast | str]  # the same over problems, by arm
    at_rates: Sequence[SeedContrast]  # the same at every shared rate
    shared: tuple[float, ...]  # rates that robustness is read over
    robust: Mapping[str, RateRobustness | None]
    areas: Sequence[SeedContrast]  # of the areas over those rates

    @property
    def swept(self) -> bool:
        """Whether some arm was run at several rates."""
        return any(len(arm.rates) > 1 for arm in self.block.arms)

    @property
    def cells(self) -> tuple[ArmAtRate, ...]:
        """Every arm at every rate."""
        return tuple(cell for arm in self.block.arms for cell in arm.cells)

    @property
    def cells_with_own(self) -> tuple[ArmAtRate, ...]:
        """Every arm at its own rate, where one was chosen; then every arm at every rate."""
        return (*(chosen.cell for chosen in self.chosen.values() if chosen.way), *self.cells)


def analyse_block(block: Block, how: MetricChoice, wanted: str | None, way: str) -> BlockAnalysis:
    """Analyse a block: choose rates, contrast every arm with the baseline, read robustness."""
    first = baseline_of_analysis(block.arms, wanted)
    chosen = {arm.label: rate_choice.choose_rate(arm, how, way) for arm in block.arms}
    others = [arm for arm in block.arms if arm is not first]
    own = [_contrast_at_own_rates(chosen[arm.label], chosen[first.label], how) for arm in others]
    at_rates = [
        contrast_over_seeds.contrast_final_values(cell, base, how)
        for arm in others
        for cell in arm.cells
        for base in first.cells
        if cell.rate == base.rate and cell.rate is not None
    ]
    problems = {one.a.arm: contrast_over_problems.contrast_by_problem(one.a, one.b, how) for one in own}
    common = rate_robustness.rates_of_robustness(block.arms, first)
    robust = {arm.label: rate_robustness.rate_robustness(arm, common, how) for arm in block.arms}
    swept = any(len(arm.rates) > 1 for arm in block.arms)
    areas = [
        contrast_over_seeds.contrast_by_seed(
            _runs_at_rates(arm, common), _runs_at_rates(first, common), mine.areas, base.areas, how
        )
        for arm in others
        if (mine := robust[arm.label]) and (base := robust[first.label])
    ]
    families = (
        contrast_over_seeds.with_holm_over_family(own),
        contrast_over_seeds.with_holm_over_family(at_rates) if swept else [],
    )
    return BlockAnalysis(
        block,
        how,
        first,
        chosen,
        families[0],
        problems,
        families[1],
        common,
        robust,
        contrast_over_seeds.with_holm_over_family(areas),
    )


def _contrast_at_own_rates(mine: ArmAtChosenRate, base: ArmAtChosenRate, how: MetricChoice) -> SeedContrast:
    found = contrast_over_seeds.contrast_by_seed(mine.cell, base.cell, mine.values(how), base.values(how), how)
    return replace(found, elsewhere=(mine.waiting_elsewhere, base.waiting_elsewhere))


def _runs_at_rates(arm: Arm, rates: Sequence[float]) -> ArmAtRate:
    """The runs that an area over these rates is read from, or waits for."""
    return ArmAtRate(arm.label, None, tuple(trial for trial in arm.trials if trial.rate in rates))


def baseline_of_analysis(arms: Sequence[Arm], wanted: str | None) -> Arm:
    """Return the baseline arm of a block's analysis: the one asked for, else GRPO, PPO, or the first."""
    by_label = {arm.label: arm for arm in arms}
    if wanted is None:
        return next((by_label[name] for name in USUAL_BASELINES if name in by_label), arms[0])
    found = by_label.get(wanted) or next((arm for arm in arms if arm.title == wanted), None)
    if found is None:
        raise UserError("--baseline", wanted, "there is no such arm.", nearest_names(wanted, by_label))
    return found
