"""The figures of a comparison: every one with its seeds, its intervals and its caption."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tvo_cli import escaping
from tvo_cli.compare import formatting
from tvo_cli.compare.analysis import measures
from tvo_cli.compare.analysis.arms import Cell
from tvo_cli.compare.analysis.block_analysis import Analysis, pages
from tvo_cli.compare.render import curves, training_tables
from tvo_cli.compare.render.document import Document
from tvo_cli.compare.render.plot_style import (
    LOOK,
    LineStyle,
    Plot,
    canvas,
    finish,
    legend,
    legend_name,
    line_styles,
    rate_axis,
)
from tvo_cli.stats.robust_aggregates import performance_profile, reason_for_too_few_runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = 3  # side by side
LAW = (-0.03, 1.32)  # rewards shown beside the law
LEGIBLE = 8  # arms in one figure; more are cut into pages


def draw(document: Document, folder: Path) -> list[Plot]:
    """Every figure, written as NAME.svg and NAME.png; of several sections with the section's number."""
    folder.mkdir(parents=True, exist_ok=True)
    found = figures(document)
    for one in found:
        (folder / f"{one.name}.svg").write_text(one.svg, encoding="utf-8")
        (folder / f"{one.name}.png").write_bytes(one.png)
    return found


def inline(document: Document) -> list[tuple[str, str]]:
    """Titles and SVG of every figure, nothing written."""
    return [(one.title, one.svg) for one in figures(document)]


def figures(document: Document) -> list[Plot]:
    """All figures of all sections."""
    import matplotlib

    found = []
    with matplotlib.rc_context(LOOK):
        for number, section in enumerate(document.sections, start=1):
            several = len(document.sections) > 1
            for one in _section(section.found, document.request.x):
                name = f"{number}-{one.name}" if several else one.name
                found.append(one._replace(name=name, title=f"{section.label}: {one.title}" if several else one.title))
    return found


def _section(found: Analysis, x: str) -> Iterator[Plot]:
    cut = pages(found, LEGIBLE)
    for number, page in enumerate(cut, start=1):
        for one in _page(page, x):
            if len(cut) == 1:
                yield one
            else:
                title = f"{one.title} (page {number} of {len(cut)}: {found.baseline.title} and others, the best first)"
                yield one._replace(name=f"{one.name}-{number}", title=title)


def _page(found: Analysis, x: str) -> Iterator[Plot]:
    style = line_styles([arm.label for arm in found.block.arms])
    own = [chosen.cell for chosen in found.chosen.values()]
    yield from curves.own_rate(own, style, found, x)
    if found.swept:
        yield from _rates(found, style)
        yield from curves.by_rate(found, style, x)
    yield from _survival(found, style)
    yield from _law(own, style, found)
    yield from _profiles(own, style, found)


# ---------------------------------------------------------------- accuracy against the learning rate


def _rates(found: Analysis, style: dict[str, LineStyle]) -> Iterator[Plot]:
    figure, (axes,) = canvas(1, 1, 3.6)
    rates = sorted({rate for arm in found.block.arms for rate in arm.rates})
    for i, arm in enumerate(found.block.arms):
        arms = len(found.block.arms)
        shift = 1.0 + min(0.035, 0.2 / arms) * (i - (arms - 1) / 2)  # side by side, and still at its rate
        _rate_line(axes, [cell for cell in arm.cells if cell.rate is not None], style[arm.label], shift, found)
    rate_axis(axes, rates)
    axes.set_ylabel(escaping.figure(_name(found)))
    if found.how.share:
        axes.set_ylim(-0.02, 1.02)
    legend(figure, [axes])
    yield finish(
        figure, "rates", f"{_name(found)} against the learning rate: mean, t interval over seeds, every run a dot"
    )


def _rate_line(axes: Axes, cells: Sequence[Cell], look: LineStyle, shift: float, found: Analysis) -> None:
    rows = [(cell.rate or 0.0, list(measures.values(cell, found.how).values())) for cell in cells]
    rows = [(rate, values) for rate, values in rows if values]
    if not rows:
        return
    means = [measures.mean(values, found.how.confidence) for _, values in rows]
    places = [rate * shift for rate, _ in rows]
    ends = [
        [_reach(one.mean - one.low, one.mean, found) for one in means],
        [_reach(one.high - one.mean, 1 - one.mean, found) for one in means],
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


def _reach(length: float, room: float, found: Analysis) -> float:
    """The arm of an error bar: none where there is no interval; a share's ends inside 0 and 1."""
    if math.isnan(length):
        return 0.0
    return max(0.0, min(length, room)) if found.how.share else length


def _name(found: Analysis) -> str:
    return f"final {found.how.metric}"


# ---------------------------------------------------------------- collapse


def _survival(found: Analysis, style: dict[str, LineStyle]) -> Iterator[Plot]:
    rates = sorted({cell.rate for cell in found.cells if _watched(cell)}, key=lambda rate: rate or 0.0)
    if not rates:
        return
    columns = min(len(rates), PANELS)
    figure, axes = canvas(-(-len(rates) // columns), columns, 2.6, sharey=True)
    for one in axes[len(rates) :]:
        one.set_visible(False)
    for one, rate in zip(axes, rates):
        cells = [cell for cell in found.cells if cell.rate == rate and _watched(cell)]
        for i, cell in enumerate(cells):
            _stairs(one, cell, style[cell.arm], found, 1.2 + 0.7 * (len(cells) - 1 - i))
        one.set(
            ylim=(-0.03, 1.05), xlim=(0, None), xlabel="step", title=f"rate {formatting.rate(rate)}" if rate else ""
        )
    axes[0].set_ylabel("share not collapsed")
    legend(figure, axes)
    text = (
        "Share of runs that have not collapsed (Kaplan and Meier), by learning rate; a tick ends a "
        "run that did not. Lines that lie on one another differ in width"
    )
    yield finish(figure, "survival", text)


def _watched(cell: Cell) -> bool:
    return any(trial.watched for trial in cell.trials)


def _stairs(axes: Axes, cell: Cell, look: LineStyle, found: Analysis, width: float) -> None:
    survival = measures.collapses(cell.trials, found.how.confidence).survival
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


# ---------------------------------------------------------------- reward against entropy


def _law(own: Sequence[Cell], style: dict[str, LineStyle], found: Analysis) -> Iterator[Plot]:
    cells = [cell for cell in own if any(training_tables.fitted(trial) for trial in cell.trials)]
    if not cells:
        return
    columns = min(len(cells), PANELS)
    figure, axes = canvas(-(-len(cells) // columns), columns, 2.5, sharex=True, sharey=True)
    for one in axes[len(cells) :]:
        one.set_visible(False)
    for one, cell in zip(axes, cells):
        _law_panel(one, cell, style[cell.arm])
        one.set_title(legend_name(cell.arm) + (f", rate {formatting.rate(cell.rate)}" if cell.rate else ""))
    for one in axes[: len(cells)]:
        one.set(xlabel="entropy H (nats)", ylim=LAW)
        one.xaxis.set_tick_params(labelbottom=True)
    for one in axes[::columns]:
        one.set_ylabel("reward")
    text = (
        "Reward against entropy: every step a dot, the law R = −a·e^H + b fitted to each run, its "
        "ceiling at H = 0 a marker (above 1, the dotted line, the law does not reach there; ▴ lies "
        "above the panel, ▾ below)"
    )
    yield finish(figure, "law", text)


def _law_panel(axes: Axes, cell: Cell, look: LineStyle) -> None:
    ceilings = []
    for trial in cell.trials:
        fit = training_tables.fitted(trial)
        if fit is None:
            continue
        name = measures.FRESH if trial.has(measures.FRESH) else "reward/mean"
        got = dict(zip(*trial.run.curve(name)))
        pairs = [(h, got[step]) for step, h in zip(*trial.run.curve("policy/entropy"), strict=True) if step in got]
        entropies = measures.finite([h for h, _ in pairs])
        axes.scatter([h for h, _ in pairs], [r for _, r in pairs], s=4, color=look.colour, alpha=0.25, linewidths=0)
        for ends, line in (((min(entropies), max(entropies)), "-"), ((0.0, min(entropies)), ":")):
            grid = [ends[0] + (ends[1] - ends[0]) * i / 30 for i in range(31)]
            axes.plot(grid, fit.reward(grid), line, color=look.colour, linewidth=0.9, alpha=0.8)
        ceilings.append(fit.ceiling)
        axes.plot([0.0], *_ceiling(fit.ceiling, look.marker), color=look.colour, markersize=4, clip_on=False)
    axes.axhline(1.0, color="#000000", linewidth=0.7, linestyle=(0, (1, 2)))


def _ceiling(value: float, marker: str) -> tuple[list[float], str]:
    """Where the law's end at H = 0 is drawn, and as what: beside the panel it would push the axes out of the figure."""
    low, high = LAW[0] + 0.03, LAW[1] - 0.04
    return [min(max(value, low), high)], "^" if value > high else "v" if value < low else marker


# ---------------------------------------------------------------- performance profiles


def _profiles(own: Sequence[Cell], style: dict[str, LineStyle], found: Analysis) -> Iterator[Plot]:
    rows = {cell.arm: list(measures.values(cell, found.how).values()) for cell in own}
    if not found.how.share or any(
        reason_for_too_few_runs(len(values), "performance profile") for values in rows.values()
    ):
        return
    figure, (axes,) = canvas(1, 1, 3.0)
    grid = [i / 100 for i in range(101)]
    for label, values in rows.items():
        profile, look = performance_profile(values, grid, found.how.confidence), style[label]
        axes.plot(grid, profile.share, linestyle=look.line, color=look.colour, label=look.label)
        axes.fill_between(grid, profile.low, profile.high, color=look.colour, alpha=0.1, linewidth=0)
    axes.set(xlabel=escaping.figure(f"{_name(found)} above"), ylabel="share of runs", ylim=(-0.02, 1.02), xlim=(0, 1))
    legend(figure, [axes])
    yield finish(figure, "profiles", "Performance profiles: the share of runs above each value, with Wilson's interval")
