"""All figures of a comparison: which of them are drawn, in pages of arms; as files, as SVG texts, as PDFs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import ceil, inf, isnan
from pathlib import Path
from typing import Any

from tvo_cli.comparison.analysis.arms_and_blocks import Arm
from tvo_cli.comparison.analysis.block_analysis import BlockAnalysis
from tvo_cli.comparison.render import training_curves
from tvo_cli.comparison.render.document import ReportDocument
from tvo_cli.comparison.render.entropy_law_plot import entropy_law_plot
from tvo_cli.comparison.render.performance_profile_plot import performance_profile_plot
from tvo_cli.comparison.render.plot_style import (
    PAPER_STYLE,
    PLOT_STYLE,
    Plot,
    line_styles,
)
from tvo_cli.comparison.render.rate_plot import rate_plot
from tvo_cli.comparison.render.survival_plot import survival_plot

LEGIBLE = 8  # arms in one figure; more are cut into pages


def write_figures(document: ReportDocument, folder: Path) -> list[Plot]:
    """Write every figure as NAME.svg and NAME.png; of several sections with the section's number."""
    folder.mkdir(parents=True, exist_ok=True)
    found = all_figures(document)
    for one in found:
        (folder / f"{one.name}.svg").write_text(one.svg, encoding="utf-8")
        (folder / f"{one.name}.png").write_bytes(one.png)
    return found


def figures_as_svg(document: ReportDocument) -> list[tuple[str, str]]:
    """Return titles and SVG of every figure, nothing written."""
    return [(one.title, one.svg) for one in all_figures(document)]


def figures_as_pdf(document: ReportDocument) -> list[Plot]:
    """Return every figure as PDF, at the width of a paper's column; nothing is written."""
    return all_figures(document, PAPER_STYLE)


def all_figures(document: ReportDocument, style: Mapping[str, Any] = PLOT_STYLE) -> list[Plot]:
    """Draw all figures of all sections in a style."""
    import matplotlib

    found = []
    with matplotlib.rc_context(dict(style)):
        for number, section in enumerate(document.sections, start=1):
            several = len(document.sections) > 1
            for one in _figures_of_section(section.found, document.request.x):
                name = f"{number}-{one.name}" if several else one.name
                found.append(one._replace(name=name, title=f"{section.label}: {one.title}" if several else one.title))
    return found


def _figures_of_section(found: BlockAnalysis, x: str) -> Iterator[Plot]:
    """Yield the figures of one section of the report, in pages of arms."""
    cut = pages_of_arms(found, LEGIBLE)
    for number, page in enumerate(cut, start=1):
        for one in _figures_of_page(page, x):
            if len(cut) == 1:
                yield one
            else:
                title = f"{one.title} (page {number} of {len(cut)}: {found.baseline.title} and others, the best first)"
                yield one._replace(name=f"{one.name}-{number}", title=title)


def _figures_of_page(found: BlockAnalysis, x: str) -> Iterator[Plot]:
    """Yield the figures of one page of arms."""
    style = line_styles([arm.label for arm in found.block.arms])
    own = [chosen.cell for chosen in found.chosen.values()]
    yield from training_curves.curves_at_own_rate(own, style, found, x)
    if found.swept:
        yield from rate_plot(found, style)
        yield from training_curves.curves_by_rate(found, style, x)
    yield from survival_plot(found, style)
    yield from entropy_law_plot(own, style, found)
    yield from performance_profile_plot(own, style, found)


def pages_of_arms(found: BlockAnalysis, most: int) -> list[BlockAnalysis]:
    """Cut an analysis into pages of at most `most` arms, the best first, the baseline on every one."""
    if len(found.block.arms) <= most:
        return [found]
    others = sorted(
        (arm for arm in found.block.arms if arm is not found.baseline), key=lambda arm: _page_order_of_arm(found, arm)
    )
    count = ceil(len(others) / (most - 1))
    return [
        _analysis_of_page(found, (found.baseline, *others[i * len(others) // count : (i + 1) * len(others) // count]))
        for i in range(count)
    ]


def _page_order_of_arm(found: BlockAnalysis, arm: Arm) -> float:
    """Return an arm's rank among the pages of an analysis, the best first."""
    mean = found.chosen[arm.label].optimistic
    return inf if isnan(mean) else mean if found.how.less else -mean


def _analysis_of_page(found: BlockAnalysis, arms: tuple[Arm, ...]) -> BlockAnalysis:
    """Return the analysis cut down to some arms, for one page."""
    chosen = {arm.label: found.chosen[arm.label] for arm in arms}
    return replace(found, block=replace(found.block, arms=arms), chosen=chosen)
