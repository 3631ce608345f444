"""Training curves: every seed thin, their mean thick, the t interval as a band."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from tvo_cli import escaping
from tvo_cli.comparison import formatting
from tvo_cli.comparison.analysis import run_values
from tvo_cli.comparison.analysis.arms_and_blocks import ArmAtRate
from tvo_cli.comparison.analysis.block_analysis import BlockAnalysis
from tvo_cli.comparison.analysis.metric_choice import is_share_metric
from tvo_cli.comparison.render.plot_style import LineStyle, Plot, add_legend, make_canvas, save_plot, set_log_scale
from tvo_cli.runs.trial import FAILED, FINISHED, Trial
from tvo_cli.stats.confidence_interval import mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOGGED, CUT_OFF = "gradient/variance", "gradient/normalised_variance"
POINTS = 120  # of a mean curve, where the seeds were not recorded at the same places
AXES = {
    "steps": "rollout batch",
    "samples": "responses sampled",
    "tokens": "response tokens",
    "hours": "hours of training",
}
CURVE_CAPTION = (
    "seeds thin, mean and t band of the finished runs as far as each of them goes; × ends a run "
    "that failed, ○ one unfinished"
)


class TrainingCurve(NamedTuple):
    """A run's metric along an axis."""

    xs: list[float]
    ys: list[float]
    state: str


def curves_at_own_rate(
    cells: Sequence[ArmAtRate], style: dict[str, LineStyle], found: BlockAnalysis, x: str
) -> Iterator[Plot]:
    """Plot learning curve, entropy and gradient variance of every arm at its own rate."""
    at = ", every arm at its own best rate" if found.swept else ""
    learned = next((name for name in (run_values.FRESH, "reward/mean") if _is_curve_recorded(cells, name)), "")
    plans = (
        ("learning", ((learned, _curve_label(learned), False),), "Learning curves"),
        (
            "entropy",
            (
                ("policy/entropy", "entropy of a token (nats)", False),
                ("neutral/entropy", "of neutral words (nats)", False),
            ),
            "Entropy",
        ),
        (
            "variance",
            (
                ("gradient/variance", "gradient variance", True),
                ("gradient/normalised_variance", "noise over signal", True),
            ),
            "Gradient variance (log scale, geometric means, a gap is 0 or less; noise over signal as the median, "
            "cut off at 10⁴)",
        ),
    )
    for name, panels, title in plans:
        shown = [panel for panel in panels if panel[0] and _is_curve_recorded(cells, panel[0])]
        if shown:
            yield _curve_panels(name, f"{title}{at}: {CURVE_CAPTION}", shown, cells, style, x)


def _curve_label(name: str) -> str:
    """Return the label of a training curve's metric."""
    return "accuracy on fresh rollouts" if name == run_values.FRESH else name


def _is_curve_recorded(cells: Sequence[ArmAtRate], name: str) -> bool:
    """Return whether any run recorded the metric of a training curve."""
    return any(trial.has(name) for cell in cells for trial in cell.trials)


def _curve_panels(
    name: str,
    title: str,
    panels: Sequence[tuple[str, str, bool]],
    cells: Sequence[ArmAtRate],
    style: dict[str, LineStyle],
    x: str,
) -> Plot:
    """Plot training curves in panels, a metric each."""
    figure, axes = make_canvas(len(panels), 3.4 if len(panels) == 1 else 3.0)
    for one, (metric, label, log) in zip(axes, panels, strict=True):
        for cell in cells:
            _plot_arm_curves(one, cell, metric, style[cell.arm], x)
        one.set(xlabel=AXES[x], ylabel=escaping.figure(label))
        if log:
            set_log_scale(one, [value for cell in cells for trial in cell.trials for value in trial.curve(metric)[1]])
    add_legend(figure, axes)
    return save_plot(figure, name, title)


def curves_by_rate(found: BlockAnalysis, style: dict[str, LineStyle], x: str) -> Iterator[Plot]:
    """Plot the learning curves of all arms, a panel a learning rate."""
    rates = sorted({rate for arm in found.block.arms for rate in arm.rates})
    name = next((one for one in (run_values.FRESH, "reward/mean") if _is_curve_recorded(found.cells, one)), "")
    if not name:
        return
    figure, axes = make_canvas(len(rates), 2.3, sharey=True)
    for one, rate in zip(axes, rates, strict=True):
        for cell in found.cells:
            if cell.rate == rate:
                _plot_arm_curves(one, cell, name, style[cell.arm], x)
        one.set(
            title=f"rate {formatting.format_rate(rate)}",
            xlabel=AXES[x],
            **({"ylim": (-0.02, 1.02)} if is_share_metric(name) else {}),
        )
    axes[0].set_ylabel(escaping.figure(_curve_label(name)))
    add_legend(figure, axes)
    yield save_plot(figure, "learning-by-rate", f"Learning curves at every learning rate: {CURVE_CAPTION}")


# ---------------------------------------------------------------- one cell


def _plot_arm_curves(axes: Axes, cell: ArmAtRate, metric: str, look: LineStyle, x: str) -> None:
    """Plot the curves of an arm's seeds, their mean and its band."""
    curves = [curve for trial in cell.trials if (curve := read_training_curve(trial, metric, x)).xs]
    for curve in curves:
        axes.plot(curve.xs, curve.ys, color=look.colour, linewidth=0.5, alpha=0.35)
        if curve.state != FINISHED:
            axes.plot(
                curve.xs[-1:],
                curve.ys[-1:],
                "x" if curve.state == FAILED else "o",
                color=look.colour,
                markersize=5,
                fillstyle="none",
            )
    whole = [curve for curve in curves if curve.state == FINISHED]
    xs, low, middle, high = band_of_curves(whole, log=metric == LOGGED, share=is_share_metric(metric))
    if metric == CUT_OFF and whole:  # half of the readings stand at the cut-off: a mean would say nothing
        middle = [median(row) for row in zip(*(_curve_at_places(curve, xs) for curve in whole), strict=True)]
    every = max(1, len(xs) // 7)
    axes.plot(
        xs,
        middle,
        color=look.colour,
        linestyle=look.line,
        marker=look.marker,
        markevery=every,
        markersize=4,
        label=look.label,
    )
    if metric != CUT_OFF:
        axes.fill_between(xs, low, high, color=look.colour, alpha=0.13, linewidth=0)


def read_training_curve(trial: Trial, metric: str, x: str) -> TrainingCurve:
    """Read a run's metric along an axis, where both are finite."""
    places = dict(zip([int(row["step"]) for row in trial.run.steps], _curve_axis(trial, x), strict=True))
    pairs = [(places.get(step, math.nan), value) for step, value in zip(*trial.curve(metric), strict=True)]
    pairs = [(place, value) for place, value in pairs if math.isfinite(place) and math.isfinite(value)]
    return TrainingCurve([place for place, _ in pairs], [value for _, value in pairs], trial.state)


def _curve_axis(trial: Trial, x: str) -> list[float]:
    """Return a run's places on the curves' axis: steps, samples, tokens or hours."""
    rows = trial.run.steps
    if x == "hours":
        return [total / 3600 for total in accumulate(float(row.get("time/step", math.nan)) for row in rows)]
    if x == "samples":
        return run_values.rollouts_by_step(trial)
    return [float(row["step"]) if x == "steps" else float(row.get("tokens", math.nan)) for row in rows]


def band_of_curves(
    curves: Sequence[TrainingCurve], *, log: bool = False, share: bool = False
) -> tuple[list[float], list[float], list[float], list[float]]:
    """Return places, lower ends, means and upper ends of curves; as far as every curve goes.

    log: the mean and the interval of the logarithms, for what scatters by factors; a share's ends stay in [0, 1].
    """
    curves = [_curve_of_logarithms(curve) for curve in curves] if log else list(curves)
    curves = [curve for curve in curves if curve.xs]
    if not curves:
        return [], [], [], []
    places = _common_places(curves)
    columns = [_curve_at_places(curve, places) for curve in curves]
    found = [mean_interval(row) for row in zip(*columns, strict=True)]
    ends = [
        [one.mean if math.isnan(end) else end for one, end in ((one, getattr(one, side)) for one in found)]
        for side in ("low", "high")
    ]
    low, high = ends
    if share:
        low, high = [max(0.0, end) for end in low], [min(1.0, end) for end in high]
    lines = (low, [one.mean for one in found], high)
    low, middle, high = ([math.exp(min(y, 700.0)) for y in line] for line in lines) if log else lines
    return places, low, middle, high


def _curve_of_logarithms(curve: TrainingCurve) -> TrainingCurve:
    pairs = [(x, math.log(y)) for x, y in zip(curve.xs, curve.ys, strict=True) if y > 0]
    return TrainingCurve([x for x, _ in pairs], [y for _, y in pairs], curve.state)


def _common_places(curves: Sequence[TrainingCurve]) -> list[float]:
    """Return the places at which curves are averaged: their own where all agree, else an even grid."""
    start, end = max(curve.xs[0] for curve in curves), min(curve.xs[-1] for curve in curves)
    inside = [[x for x in curve.xs if start <= x <= end] for curve in curves]
    if all(one == inside[0] for one in inside) or end <= start:
        return inside[0]
    return [start + (end - start) * i / (POINTS - 1) for i in range(POINTS)]


def _curve_at_places(curve: TrainingCurve, places: Sequence[float]) -> list[float]:
    import numpy as np

    return [float(y) for y in np.interp(places, curve.xs, curve.ys)]
