"""The style of a comparison's plots: colours, lines and markers, canvas, legend, axes."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tvo_cli import escaping
from tvo_cli.comparison import formatting
from tvo_cli.comparison.analysis.block_analysis import BlockAnalysis
from tvo_cli.report.run_plot import STYLE, without_glyph_warnings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = 3  # side by side

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, the dark ones first; yellow is left out: it vanishes on white paper.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DPI = 200
WIDTH = 7.0  # inches: a text column of A4
PLOT_STYLE: dict[str, Any] = {**STYLE, "backend": "Agg", "font.size": 9, "savefig.dpi": DPI, "figure.dpi": 100}


class Plot(NamedTuple):
    """A plot in both formats, SVG and PNG."""

    name: str
    title: str  # with what a reader must know to read it
    svg: str
    png: bytes


class LineStyle(NamedTuple):
    """The line style of an arm, the same in every plot."""

    colour: str
    line: Any
    marker: str
    label: str


def line_styles(labels: Sequence[str]) -> dict[str, LineStyle]:
    """Return a line style for each arm; colours, lines and markers repeat with different periods."""
    return {
        label: LineStyle(
            COLOURS[i % len(COLOURS)], LINES[i % len(LINES)], MARKERS[i % len(MARKERS)], legend_name(label)
        )
        for i, label in enumerate(labels)
    }


def legend_name(arm: str) -> str:
    """Return an arm's name for a legend, escaped."""
    return escaping.figure(formatting.arm_title(arm))


def make_canvas(rows: int, columns: int, height: float, **options: Any) -> tuple[Figure, list[Axes]]:
    """Make a figure and its axes in reading order."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, [one for row in axes for one in row]


def add_legend(figure: Figure, axes: Sequence[Axes], columns: int = 4) -> None:
    """Add one legend above all panels, which hides nothing."""
    found: dict[str, Any] = {}
    for one in axes:
        for handle, label in zip(*one.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if found:
        order = sorted(found, key=str.lower)
        columns = min(columns, len(order))
        figure.legend(
            [found[label] for label in order], order, loc="outside upper center", ncols=columns, handlelength=3.2
        )


def save_plot(figure: Figure, name: str, title: str) -> Plot:
    """Save a figure in both formats, the same bytes for the same runs."""
    text, picture = io.StringIO(), io.BytesIO()
    with without_glyph_warnings():
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        figure.savefig(picture, format="png", dpi=DPI, metadata={"Software": None})
    return Plot(name, title, text.getvalue(), picture.getvalue())


def set_log_scale(axes: Axes, values: Sequence[float]) -> None:
    """Set a log axis where something positive is shown, as far as single runs go."""
    shown = [value for value in values if math.isfinite(value) and value > 0]
    if shown:
        axes.set_yscale("log", nonpositive="mask")
        axes.set_ylim(min(shown) / 1.5, max(shown) * 1.5)


def set_rate_axis(axes: Axes, rates: Sequence[float]) -> None:
    """Set an axis of learning rates, log, with ticks at those that were run."""
    axes.set_xscale("log")
    axes.set_xticks(list(rates), [formatting.format_rate(rate) for rate in rates])
    axes.minorticks_off()
    axes.set_xlabel("learning rate")


def final_metric_name(found: BlockAnalysis) -> str:
    """Return the label of an axis that shows final values."""
    return f"final {found.how.metric}"
