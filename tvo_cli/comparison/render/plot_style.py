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
    from matplotlib.figure import Figure

# Okabe and Ito's palette, the dark ones first; yellow is left out: it vanishes on white paper.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DPI = 200
WIDTH, COLUMN_WIDTH = 7.0, 3.25  # inches: the text of an A4 page, and a column of a two-column paper
PANEL_WIDTH, PANEL_HEIGHT = 2.3, 0.65  # inches that a panel needs; its height at most, in widths of the plot
PLOT_STYLE: dict[str, Any] = {
    **STYLE,
    **{"font.size": 9, "savefig.dpi": DPI, "figure.dpi": 100, "savefig.format": "svg"},
    "figure.figsize": (WIDTH, WIDTH),
}
PAPER_STYLE: dict[str, Any] = {
    **PLOT_STYLE,
    **{"font.size": 8, "axes.titlesize": 8, "legend.fontsize": 7, "xtick.labelsize": 7, "ytick.labelsize": 7},
    **{"savefig.format": "pdf", "pdf.fonttype": 42, "figure.figsize": (COLUMN_WIDTH, COLUMN_WIDTH)},
}  # fonts are embedded as TrueType: some journals refuse matplotlib's default, Type 3


class Plot(NamedTuple):
    """A drawn plot of any style as SVG and PNG; for a paper, as PDF alone."""

    name: str
    title: str  # with what a reader must know to read it
    svg: str = ""
    png: bytes = b""
    pdf: bytes = b""


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


def plot_width() -> float:
    """Return the width of the plots that are being drawn, in inches."""
    import matplotlib

    return float(matplotlib.rcParams["figure.figsize"][0])


def panels_side_by_side(count: int) -> int:
    """Return how many of so many panels stand side by side."""
    return max(1, min(count, int(plot_width() / PANEL_WIDTH)))


def make_canvas(count: int, height: float, **options: Any) -> tuple[Figure, list[Axes]]:
    """Make a figure of so many panels, each of this height; return it and its panels in reading order."""
    from matplotlib.figure import Figure

    columns = panels_side_by_side(count)
    rows = -(-count // columns)
    figure = Figure(figsize=(plot_width(), min(height, PANEL_HEIGHT * plot_width()) * rows), layout="constrained")
    axes = [one for row in figure.subplots(rows, columns, squeeze=False, **options) for one in row]
    for one in axes[count:]:
        one.set_visible(False)
    return figure, axes[:count]


def add_legend(figure: Figure, axes: Sequence[Axes], columns: int = 4) -> None:
    """Add one legend above all panels, which hides nothing."""
    found: dict[str, Any] = {}
    for one in axes:
        for handle, label in zip(*one.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if found:
        order = sorted(found, key=str.lower)
        columns = max(1, min(columns, len(order), int(plot_width() / legend_entry_width(order))))
        figure.legend(
            [found[label] for label in order], order, loc="outside upper center", ncols=columns, handlelength=3.2
        )


def legend_entry_width(labels: Sequence[str]) -> float:
    """Return the inches that the longest entry of a legend takes, its line and the gap after it included."""
    import matplotlib

    em = float(matplotlib.rcParams["legend.fontsize"]) / 72
    return (6.0 + 0.6 * max(map(len, labels))) * em  # a line of 3.2 em, gaps, and letters of 0.6 em


def save_plot(figure: Figure, name: str, title: str) -> Plot:
    """Save a figure in the formats of its style, the same bytes for the same runs."""
    import matplotlib

    if matplotlib.rcParams["savefig.format"] == "pdf":
        return _save_pdf(figure, name, title)
    text, picture = io.StringIO(), io.BytesIO()
    with without_glyph_warnings():
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        figure.savefig(picture, format="png", dpi=DPI, metadata={"Software": None})
    return Plot(name, title, text.getvalue(), picture.getvalue())


def _save_pdf(figure: Figure, name: str, title: str) -> Plot:
    page = io.BytesIO()
    with without_glyph_warnings():
        figure.savefig(page, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
    return Plot(name, title, pdf=page.getvalue())


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


def final_value_axis_label(found: BlockAnalysis) -> str:
    """Return the label of an axis that shows final values."""
    return f"final {found.how.metric}"
