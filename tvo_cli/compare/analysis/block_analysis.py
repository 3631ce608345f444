"""One block's comparison: the arms at their own best rate, at each shared one, and every verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf, isnan

from tvo_cli.compare.analysis import contrast, rates
from tvo_cli.compare.analysis.arms import Arm, Block, Cell
from tvo_cli.compare.analysis.contrast import ByProblem, Contrast
from tvo_cli.compare.analysis.measures import Reading
from tvo_cli.compare.analysis.rates import Chosen, Robustness
from tvo_cli.config import nearest
from tvo_cli.errors import UserError

USUAL = ("grpo", "ppo")


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything that the report says of a block."""

    block: Block
    how: Reading
    baseline: Arm
    chosen: Mapping[str, Chosen]  # arm → the arm at its own rate
    own: Sequence[Contrast]  # every other arm against the baseline, each at its own rate
    problems: Mapping[str, ByProblem | str]  # the same over problems, by arm
    at_rates: Sequence[Contrast]  # the same at every shared rate
    shared: tuple[float, ...]  # rates that robustness is read over
    robust: Mapping[str, Robustness | None]
    areas: Sequence[Contrast]  # of the areas over those rates

    @property
    def swept(self) -> bool:
        """Whether some arm was run at several rates."""
        return any(len(arm.rates) > 1 for arm in self.block.arms)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every arm at every rate."""
        return tuple(cell for arm in self.block.arms for cell in arm.cells)


def analyse(block: Block, how: Reading, wanted: str | None, way: str) -> Analysis:
    """The comparison of one block."""
    first = baseline(block.arms, wanted)
    chosen = {arm.label: rates.choose(arm, how, way) for arm in block.arms}
    others = [arm for arm in block.arms if arm is not first]
    own = [_own(chosen[arm.label], chosen[first.label], how) for arm in others]
    at_rates = [
        contrast.contrast(cell, base, how)
        for arm in others
        for cell in arm.cells
        for base in first.cells
        if cell.rate == base.rate and cell.rate is not None
    ]
    problems = {one.a.arm: contrast.by_problem(one.a, one.b, how) for one in own}
    common = rates.over_rates(block.arms, first)
    robust = {arm.label: rates.robustness(arm, common, how) for arm in block.arms}
    swept = any(len(arm.rates) > 1 for arm in block.arms)
    areas = [
        contrast.paired_values(chosen[arm.label].cell, chosen[first.label].cell, mine.areas, base.areas, how)
        for arm in others
        if (mine := robust[arm.label]) and (base := robust[first.label])
    ]
    families = contrast.family(own), contrast.family(at_rates) if swept else []
    return Analysis(
        block, how, first, chosen, families[0], problems, families[1], common, robust, contrast.family(areas)
    )


def _own(mine: Chosen, base: Chosen, how: Reading) -> Contrast:
    return contrast.paired_values(mine.cell, base.cell, mine.values(how), base.values(how), how)


def pages(found: Analysis, most: int) -> list[Analysis]:
    """The analysis cut into pages of at most `most` arms, the best first, the baseline on every one."""
    if len(found.block.arms) <= most:
        return [found]
    others = sorted((arm for arm in found.block.arms if arm is not found.baseline), key=lambda arm: _rank(found, arm))
    count = ceil(len(others) / (most - 1))
    return [
        _only(found, (found.baseline, *others[i * len(others) // count : (i + 1) * len(others) // count]))
        for i in range(count)
    ]


def _rank(found: Analysis, arm: Arm) -> float:
    mean = found.chosen[arm.label].optimistic
    return inf if isnan(mean) else mean if found.how.less else -mean


def _only(found: Analysis, arms: tuple[Arm, ...]) -> Analysis:
    chosen = {arm.label: found.chosen[arm.label] for arm in arms}
    return replace(found, block=replace(found.block, arms=arms), chosen=chosen)


def baseline(arms: Sequence[Arm], wanted: str | None) -> Arm:
    """The arm that the others are compared with: the one asked for, else GRPO, PPO, or the first."""
    by_label = {arm.label: arm for arm in arms}
    if wanted is None:
        return next((by_label[name] for name in USUAL if name in by_label), arms[0])
    found = by_label.get(wanted) or next((arm for arm in arms if arm.title == wanted), None)
    if found is None:
        raise UserError("--baseline", wanted, "there is no such arm.", nearest(wanted, by_label))
    return found
