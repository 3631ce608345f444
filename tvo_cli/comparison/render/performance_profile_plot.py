"""The figure of performance profiles: the share of runs above each value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
)
from tvo_cli.stats.robust_aggregates import performance_profile, reason_against_robust_aggregates


def performance_profile_plot(
    own: Sequence[ArmAtRate], style: dict[str, LineStyle], found: BlockAnalysis
) -> Iterator[Plot]:
    """Plot the share of runs above each final value, with Wilson's interval; nothing where there are too few runs."""
    rows = {cell.arm: list(run_values.final_values_by_seed(cell, found.how).values()) for cell in own}
    if not found.how.share or any(
        reason_against_robust_aggregates(len(values), "performance profile") for values in rows.values()
    ):
        return
    figure, (axes,) = make_canvas(1, 3.0)
    grid = [i / 100 for i in range(101)]
    for label, values in rows.items():
        profile, look = performance_profile(values, grid, found.how.confidence), style[label]
        axes.plot(grid, profile.share, linestyle=look.line, color=look.colour, label=look.label)
        axes.fill_between(grid, profile.low, profile.high, color=look.colour, alpha=0.1, linewidth=0)
    axes.set(
        xlabel=escaping.figure(f"{final_value_axis_label(found)} above"),
        ylabel="share of runs",
        ylim=(-0.02, 1.02),
        xlim=(0, 1),
    )
    add_legend(figure, [axes])
    yield save_plot(
        figure, "profiles", "Performance profiles: the share of runs above each value, with Wilson's interval"
    )
