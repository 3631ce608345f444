"""The figure of the final value against the learning rate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tvo_cli import escaping
from tvo_cli.comparison.analysis import run_values
from tvo_cli.comparison.analysis.arms_and_blocks import ArmAtRate
from tvo_cli.comparison.analysis.block_analysis import BlockAnalysis
from tvo_cli.comparison.render.plot_style import (
    LineStyle,
    Plot,
    add_legend,
    final_value_axis_label,
    make_canvas,
    save_plot,
    set_rate_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def rate_plot(found: BlockAnalysis, style: dict[str, LineStyle]) -> Iterator[Plot]:
    """Plot the final value of every arm against the learning rate, every run a dot."""
    figure, (axes,) = make_canvas(1, 3.6)
    rates = sorted({rate for arm in found.block.arms for rate in arm.rates})
    for i, arm in enumerate(found.block.arms):
        arms = len(found.block.arms)
        shift = 1.0 + min(0.035, 0.2 / arms) * (i - (arms - 1) / 2)  # side by side, and still at its rate
        _plot_rate_line(axes, [cell for cell in arm.cells if cell.rate is not None], style[arm.label], shift, found)
    set_rate_axis(axes, rates)
    axes.set_ylabel(escaping.figure(final_value_axis_label(found)))
    if found.how.share:
        axes.set_ylim(-0.02, 1.02)
    add_legend(figure, [axes])
    yield save_plot(
        figure,
        "rates",
        f"{final_value_axis_label(found)} against the learning rate: mean, t interval over seeds, every run a dot",
    )


def _plot_rate_line(
    axes: Axes, cells: Sequence[ArmAtRate], look: LineStyle, shift: float, found: BlockAnalysis
) -> None:
    """Plot one arm's final values against the learning rate, with error bars."""
    rows = [(cell.rate or 0.0, list(run_values.final_values_by_seed(cell, found.how).values())) for cell in cells]
    rows = [(rate, values) for rate, values in rows if values]
    if not rows:
        return
    means = [run_values.mean_of_known_values(values, found.how.confidence) for _, values in rows]
    places = [rate * shift for rate, _ in rows]
    ends = [
        [_error_bar_length(one.mean - one.low, one.mean, found) for one in means],
        [_error_bar_length(one.high - one.mean, 1 - one.mean, found) for one in means],
    ]
    middle = [one.mean for one in means]
    axes.errorbar(
        places,
        middle,
        yerr=ends,
        color=look.colour,
        linestyle=look.line,
        marker=look.marker,
        markersize=5,
        capsize=3,
        label=look.label,
    )
    dots = [(place, value) for place, (_, values) in zip(places, rows, strict=True) for value in values]
    axes.scatter([x for x, _ in dots], [y for _, y in dots], s=7, color=look.colour, alpha=0.45, linewidths=0, zorder=3)


def _error_bar_length(length: float, room: float, found: BlockAnalysis) -> float:
    """Return the length of an error bar: 0 where there is no interval; a share's ends inside 0 and 1."""
    if math.isnan(length):
        return 0.0
    return max(0.0, min(length, room)) if found.how.share else length
