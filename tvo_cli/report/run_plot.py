"""The plot of a run: what it learned and how steady it was, legible in print and without colour."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli import escaping
from tvo_cli.report.run_folder_reading import LoadedRun, collapse_firings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette: told apart by every common form of colour blindness.
BLUE, ORANGE, GREEN, RED, BLACK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#000000"
# no "backend": figures are made without pyplot, and rc_context would leave a notebook's changed
STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.5,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "tvo",
}
COLLAPSE, WARNING = "collapse", "warning"
MARKS: dict[str, dict[str, Any]] = {
    COLLAPSE: {"color": RED, "linewidth": 1.2, "linestyle": "-."},
    WARNING: {"color": "#707070", "linewidth": 0.8, "linestyle": ":"},
}
# between title and axes, where it covers neither a curve nor a mark
ABOVE: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "borderaxespad": 0.1, "borderpad": 0.1}
ABOVE |= {"ncols": 3, "handlelength": 1.6, "handletextpad": 0.5, "columnspacing": 1.2}
ROOM = 18  # points between axes and title, for the legend


def draw_run_figure(run: LoadedRun, folder: Path | None = None) -> list[Path]:
    """Draw run.svg and run.png into figures/ and return their paths; nothing is drawn without a step."""
    if not run.steps:
        return []
    import matplotlib

    target = folder or run.folder / "figures"
    target.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        figure = _run_figure(run)
        paths = [target / "run.svg", target / "run.png"]
        with without_glyph_warnings():
            figure.savefig(paths[0], metadata={"Date": None})
            figure.savefig(paths[1], dpi=150)
    return paths


@contextmanager
def without_glyph_warnings() -> Iterator[None]:
    """While a run's plot is drawn, ignore matplotlib's warnings of letters that its font lacks: whole in the SVG."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _run_figure(run: LoadedRun) -> Any:
    """Return the figure of a run: four panels, with marks where a collapse rule fired."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 5.0), layout="constrained")
    (reward, entropy), (variance, steadiness) = figure.subplots(2, 2, sharex=True)
    _plot_reward(reward, run)
    _plot_entropy(entropy, run)
    _plot_variance(variance, run)
    _plot_tv_and_viscosity(steadiness, run)
    for axes in (reward, entropy, variance, steadiness):
        _mark_collapses(axes, run)
    for axes in (variance, steadiness):
        axes.set_xlabel("rollout batch")
        axes.xaxis.get_major_locator().set_params(integer=True)
    _add_collapse_legend(figure, run)
    title = (
        run.algorithm,
        _chosen_name_in_title(run, "model"),
        _chosen_name_in_title(run, "dataset"),
        f"seed {run.config.get('seed', '?')}",
    )
    figure.suptitle(escaping.figure(" · ".join(title)), fontsize=10)
    return figure


def _chosen_name_in_title(run: LoadedRun, group: str) -> str:
    return str(run.config.get(group, {}).get("name", "?"))


def _plot_metric(axes: Axes, run: LoadedRun, name: str, label: str, colour: str, dashes: str = "-") -> None:
    steps, values = run.curve(name)
    if any(math.isfinite(value) for value in values):
        mark = "o" if len(values) < 3 else ""
        axes.plot(steps, values, dashes, color=colour, label=label, marker=mark, markersize=3)


def _plot_lone_points(axes: Axes, run: LoadedRun, name: str, colour: str) -> None:
    """Draw as points the positive values between two that a log axis leaves out: a line would not show them."""
    steps, values = run.curve(name)
    shown = [math.isfinite(value) and value > 0 for value in values]
    around = zip([False, *shown], shown, [*shown[1:], False])
    lone = [at for at, (before, own, after) in enumerate(around) if own and not before and not after]
    axes.plot([steps[at] for at in lone], [values[at] for at in lone], "o", color=colour, markersize=3)


def _add_panel_legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[1]:
        axes.legend(**ABOVE)


def _plot_reward(axes: Axes, run: LoadedRun) -> None:
    axes.set_title("reward and accuracy", pad=ROOM)
    _plot_metric(axes, run, "reward/mean", "reward", BLUE)
    _plot_metric(axes, run, "accuracy/fresh", "accuracy, fresh rollouts", ORANGE, "--")
    steps, values = run.curve("eval/pass@1", evaluations=True)
    low = run.curve("eval/pass@1_low", evaluations=True)[1]
    high = run.curve("eval/pass@1_high", evaluations=True)[1]
    if values and len(low) == len(high) == len(values):
        below = [max(v - a, 0.0) for v, a in zip(values, low, strict=True)]
        above = [max(b - v, 0.0) for v, b in zip(values, high, strict=True)]
        axes.errorbar(
            steps, values, yerr=[below, above], fmt="D", color=BLACK, markersize=4, capsize=3, label="held out"
        )
    _add_panel_legend(axes)


def _plot_entropy(axes: Axes, run: LoadedRun) -> None:
    axes.set_title("entropy (nats)", pad=ROOM)
    _plot_metric(axes, run, "policy/entropy", "a token", BLUE)
    _plot_metric(axes, run, "neutral/entropy", "neutral tokens", GREEN, "--")
    _plot_metric(axes, run, "answer/entropy", "answers of a group", ORANGE, ":")
    axes.set_ylim(bottom=0)
    _add_panel_legend(axes)


def _plot_variance(axes: Axes, run: LoadedRun) -> None:
    axes.set_title("gradient (log scale)", pad=ROOM)
    _plot_metric(axes, run, "gradient/variance", "variance", BLUE)
    _plot_metric(axes, run, "gradient/norm", "norm", ORANGE, "--")
    values = run.curve("gradient/variance")[1] + run.curve("gradient/norm")[1]
    if any(math.isfinite(value) and value > 0 for value in values):
        axes.set_yscale("log", nonpositive="mask")
        _plot_lone_points(axes, run, "gradient/variance", BLUE)
        _plot_lone_points(axes, run, "gradient/norm", ORANGE)
        _mark_not_positive(axes, run, ("gradient/variance", "gradient/norm"))
    _add_panel_legend(axes)


def _mark_not_positive(axes: Axes, run: LoadedRun, names: tuple[str, ...]) -> None:
    """Mark the steps that a log axis cannot show, on its lower edge."""
    steps = sorted({step for name in names for step, value in zip(*run.curve(name), strict=True) if value <= 0})
    if steps:
        at = axes.get_xaxis_transform()
        axes.plot(steps, [0.02] * len(steps), "v", transform=at, color=BLACK, markersize=3, label="0 or less")


def _plot_tv_and_viscosity(axes: Axes, run: LoadedRun) -> None:
    axes.set_title("step: binary TV and viscosity", pad=ROOM)
    axes.yaxis.set_major_formatter("{x:.3g}")
    _plot_metric(axes, run, "policy/tv", "TV of the step", BLUE)
    _plot_metric(axes, run, "thermo/set_point", "aimed at", BLACK, ":")
    axes.set_ylim(bottom=0)
    steps, values = run.curve("thermo/viscosity")
    if any(math.isfinite(value) for value in values):
        right = axes.twinx()
        right.plot(steps, values, "--", color=RED, label="viscosity ν (right)")
        right.grid(False)
        right.spines["right"].set_visible(True)
        right.set_ylim(bottom=0)
        handles, labels = axes.get_legend_handles_labels()
        more, names = right.get_legend_handles_labels()
        right.legend(handles + more, labels + names, **ABOVE)
    else:
        _add_panel_legend(axes)


def _mark_collapses(axes: Axes, run: LoadedRun) -> None:
    """Draw a line at each step where a rule first fired: red where it means collapse, grey where it warns."""
    for (step, severity), _ in _fired_rules_to_mark(run):
        axes.axvline(step, **MARKS[severity], zorder=1.5)


def _fired_rules_to_mark(run: LoadedRun) -> list[tuple[tuple[int, str], list[str]]]:
    """Return the rules that first fired at each step, by step and severity, which the plot marks."""
    found: dict[tuple[int, str], list[str]] = {}
    for firing in collapse_firings(run):
        if isinstance(firing.get("step"), int):
            severity = WARNING if firing.get("severity") == WARNING else COLLAPSE
            found.setdefault((int(firing["step"]), severity), []).append(str(firing.get("rule", "?")))
    return sorted(found.items())


def _add_collapse_legend(figure: Any, run: LoadedRun) -> None:
    """Add a legend of the rules that fired, below the panels."""
    from matplotlib.lines import Line2D

    marked = _fired_rules_to_mark(run)
    names = [escaping.figure(f"{severity} at step {step}: {', '.join(rules)}") for (step, severity), rules in marked]
    if names:
        lines = [Line2D([], [], **MARKS[severity]) for (_, severity), _ in marked]
        columns = 2 if max(map(len, names)) <= 60 else 1
        figure.legend(lines, names, loc="outside lower center", ncols=columns, fontsize=7)
