"""The figure of reward against entropy, with the law fitted to each run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tvo_cli.comparison import formatting
from tvo_cli.comparison.analysis import entropy_law, run_values
from tvo_cli.comparison.analysis.arms_and_blocks import ArmAtRate
from tvo_cli.comparison.analysis.block_analysis import BlockAnalysis
from tvo_cli.comparison.render.plot_style import (
    LineStyle,
    Plot,
    legend_name,
    make_canvas,
    panels_side_by_side,
    save_plot,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REWARD_RANGE = (-0.03, 1.32)  # rewards shown beside the law


def entropy_law_plot(own: Sequence[ArmAtRate], style: dict[str, LineStyle], found: BlockAnalysis) -> Iterator[Plot]:
    """Plot reward against entropy, a panel an arm, with the law fitted to each run."""
    cells = [cell for cell in own if any(entropy_law.fit_entropy_law_of_run(trial) for trial in cell.trials)]
    if not cells:
        return
    figure, axes = make_canvas(len(cells), 2.5, sharex=True, sharey=True)
    for one, cell in zip(axes, cells, strict=True):
        _plot_entropy_law_panel(one, cell, style[cell.arm])
        one.set_title(legend_name(cell.arm) + (f", rate {formatting.format_rate(cell.rate)}" if cell.rate else ""))
    for one in axes:
        one.set(xlabel="entropy H (nats)", ylim=REWARD_RANGE)
        one.xaxis.set_tick_params(labelbottom=True)
    for one in axes[:: panels_side_by_side(len(cells))]:
        one.set_ylabel("reward")
    text = (
        "Reward against entropy: every step a dot, the law R = −a·e^H + b fitted to each run, its "
        "ceiling at H = 0 a marker (above 1, the dotted line, the law does not reach there; ▴ lies "
        "above the panel, ▾ below)"
    )
    yield save_plot(figure, "law", text)


def _plot_entropy_law_panel(axes: Axes, cell: ArmAtRate, look: LineStyle) -> None:
    ceilings = []
    for trial in cell.trials:
        fit = entropy_law.fit_entropy_law_of_run(trial)
        if fit is None:
            continue
        name = run_values.FRESH if trial.has(run_values.FRESH) else "reward/mean"
        got = dict(zip(*trial.run.curve(name)))
        pairs = [(h, got[step]) for step, h in zip(*trial.run.curve("policy/entropy"), strict=True) if step in got]
        entropies = run_values.finite_run_values([h for h, _ in pairs])
        axes.scatter([h for h, _ in pairs], [r for _, r in pairs], s=4, color=look.colour, alpha=0.25, linewidths=0)
        for ends, line in (((min(entropies), max(entropies)), "-"), ((0.0, min(entropies)), ":")):
            grid = [ends[0] + (ends[1] - ends[0]) * i / 30 for i in range(31)]
            axes.plot(grid, fit.reward(grid), line, color=look.colour, linewidth=0.9, alpha=0.8)
        ceilings.append(fit.ceiling)
        axes.plot([0.0], *_ceiling_marker(fit.ceiling, look.marker), color=look.colour, markersize=4, clip_on=False)
    axes.axhline(1.0, color="#000000", linewidth=0.7, linestyle=(0, (1, 2)))


def _ceiling_marker(value: float, marker: str) -> tuple[list[float], str]:
    """Return where the entropy law's end at H = 0 is drawn, inside the panel, and by which marker."""
    low, high = REWARD_RANGE[0] + 0.03, REWARD_RANGE[1] - 0.04
    return [min(max(value, low), high)], "^" if value > high else "v" if value < low else marker
