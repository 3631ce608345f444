"""The figure of the share of runs that have not collapsed, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tvo_cli.comparison import formatting
from tvo_cli.comparison.analysis import collapse_rate
from tvo_cli.comparison.analysis.arms_and_blocks import ArmAtRate
from tvo_cli.comparison.analysis.block_analysis import BlockAnalysis
from tvo_cli.comparison.render.plot_style import (
    LineStyle,
    Plot,
    add_legend,
    make_canvas,
    save_plot,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def survival_plot(found: BlockAnalysis, style: dict[str, LineStyle]) -> Iterator[Plot]:
    """Plot the share of runs that have not collapsed, step by step, a panel a learning rate."""
    rates = sorted({cell.rate for cell in found.cells if _has_survival(cell)}, key=lambda rate: rate or 0.0)
    if not rates:
        return
    figure, axes = make_canvas(len(rates), 2.6, sharey=True)
    for one, rate in zip(axes, rates, strict=True):
        cells = [cell for cell in found.cells if cell.rate == rate and _has_survival(cell)]
        for i, cell in enumerate(cells):
            _plot_survival_steps(one, cell, style[cell.arm], found, 1.2 + 0.7 * (len(cells) - 1 - i))
        one.set(
            ylim=(-0.03, 1.05),
            xlim=(0, None),
            xlabel="step",
            title=f"rate {formatting.format_rate(rate)}" if rate else "",
        )
    axes[0].set_ylabel("share not collapsed")
    add_legend(figure, axes)
    text = (
        "Share of runs that have not collapsed (Kaplan and Meier), by learning rate; a tick ends a "
        "run that did not. Lines that lie on one another differ in width"
    )
    yield save_plot(figure, "survival", text)


def _has_survival(cell: ArmAtRate) -> bool:
    """Return whether any run of the arm was watched for a collapse, so that it has a survival curve."""
    return any(trial.watched for trial in cell.trials)


def _plot_survival_steps(axes: Axes, cell: ArmAtRate, look: LineStyle, found: BlockAnalysis, width: float) -> None:
    """Plot one arm's survival curve."""
    survival = collapse_rate.collapse_rate_of(cell.trials, found.how.confidence).survival
    if survival is None:
        return
    axes.step(
        survival.times,
        survival.survival,
        where="post",
        color=look.colour,
        linestyle=look.line,
        linewidth=width,
        label=look.label,
    )
    ends = [(survival.times[-1], survival.survival[-1])] if survival.survival[-1] > 0 else []
    for x, y in ends:
        axes.plot([x], [y], marker="|", color=look.colour, markersize=9)
