"""The plot of a run: what it learned and how steady it was, legible in print and without colour."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvo_cli import escaping
from tvo_cli.report.run_loading import Run, collapse_firings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette: told apart by every common form of colour blindness.
BLUE, ORANGE, GREEN, RED, BLACK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#000000"
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
# what lies under a legend does not strike its words out
OPAQUE: dict[str, Any] = {"frameon": True, "facecolor": "white", "edgecolor": "none", "framealpha": 0.85}


def draw_run_figure(run: Run, folder: Path | None = None) -> list[Path]:
    """Draw run.svg and run.png into figures/ and return their paths; nothing is drawn without a step."""
    if not run.steps:
        return []
    import matplotlib

    target = folder or run.folder / "figures"
    target.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({**STYLE, "backend": "Agg"}):
        figure = _run_figure(run)
        paths = [target / "run.svg", target / "run.png"]
        with without_glyph_warnings():
            figure.savefig(paths[0], metadata={"Date": None})
            figure.savefig(paths[1], dpi=150)
    return paths


@contextmanager
def without_glyph_warnings() -> Iterator[None]:
    """Ignore matplotlib's warnings of letters that its font lacks: they stand as boxes, and whole in the SVG."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _run_figure(run: Run) -> Any:
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
    _add_collapse_legend(figure, run)
    title = (
        run.algorithm,
        _chosen_name_in_title(run, "model"),
        _chosen_name_in_title(run, "dataset"),
        f"seed {run.config.get('seed', '?')}",
    )
    figure.suptitle(escaping.figure(" · ".join(title)), fontsize=10)
    return figure


def _chosen_name_in_title(run: Run, group: str) -> str:
    return str(run.config.get(group, {}).get("name", "?"))


def _plot_metric(axes: Axes, run: Run, name: str, label: str, colour: str, dashes: str = "-") -> None:
    steps, values = run.curve(name)
    if any(math.isfinite(value) for value in values):
        mark = "o" if len(values) < 3 else ""
        axes.plot(steps, values, dashes, color=colour, label=label, marker=mark, markersize=3)


def _add_panel_legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="best", **OPAQUE)


def _plot_reward(axes: Axes, run: Run) -> None:
    axes.set_title("reward and accuracy")
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


def _plot_entropy(axes: Axes, run: Run) -> None:
    axes.set_title("entropy (nats)")
    _plot_metric(axes, run, "policy/entropy", "a token", BLUE)
    _plot_metric(axes, run, "neutral/entropy", "neutral tokens", GREEN, "--")
    _plot_metric(axes, run, "answer/entropy", "answers of a group", ORANGE, ":")
    axes.set_ylim(bottom=0)
    _add_panel_legend(axes)


def _plot_variance(axes: Axes, run: Run) -> None:
    axes.set_title("gradient (log scale)")
    _plot_metric(axes, run, "gradient/variance", "variance", BLUE)
    _plot_metric(axes, run, "gradient/norm", "norm", ORANGE, "--")
    values = run.curve("gradient/variance")[1] + run.curve("gradient/norm")[1]
    if any(math.isfinite(value) and value > 0 for value in values):
        axes.set_yscale("log", nonpositive="mask")
        _mark_not_positive(axes, run, ("gradient/variance", "gradient/norm"))
    _add_panel_legend(axes)


def _mark_not_positive(axes: Axes, run: Run, names: tuple[str, ...]) -> None:
    """Mark the steps that a log axis cannot show, on its lower edge."""
    steps = sorted({step for name in names for step, value in zip(*run.curve(name), strict=True) if value <= 0})
    if steps:
        at = axes.get_xaxis_transform()
        axes.plot(steps, [0.02] * len(steps), "v", transform=at, color=BLACK, markersize=3, label="0 or less")


def _plot_tv_and_viscosity(axes: Axes, run: Run) -> None:
    axes.set_title("step: binary TV and viscosity")
    _plot_metric(axes, run, "policy/tv", "TV, sampling → updated policy", BLUE)
    _plot_metric(axes, run, "thermo/set_point", "TV aimed at", BLACK, ":")
    axes.set_ylim(bottom=0)
    steps, values = run.curve("thermo/viscosity")
    if any(math.isfinite(value) for value in values):
        right = axes.twinx()
        right.plot(steps, values, "--", color=RED, label="viscosity ν (right)")
        right.grid(False)
        right.spines["right"].set_visible(True)
        for one in (axes, right):  # room above the curves, or the legend hides them
            one.set_ylim(0, 1.6 * one.get_ylim()[1])
        handles, labels = axes.get_legend_handles_labels()
        more, names = right.get_legend_handles_labels()
        right.legend(handles + more, labels + names, loc="upper center", **OPAQUE)
    else:
        _add_panel_legend(axes)


def _mark_collapses(axes: Axes, run: Run) -> None:
    """Draw a red line at each step where a collapse rule first fired."""
    for step in _fired_rules_to_mark(run):
        axes.axvline(step, color=RED, linewidth=1.0, linestyle="-.")


def _fired_rules_to_mark(run: Run) -> dict[int, list[str]]:
    """Return the rules that first fired at each step, which the plot marks."""
    found: dict[int, list[str]] = {}
    for firing in sorted(collapse_firings(run), key=lambda one: str(one.get("step")).zfill(12)):
        if isinstance(firing.get("step"), int):
            found.setdefault(int(firing["step"]), []).append(str(firing.get("rule", "?")))
    return found


def _add_collapse_legend(figure: Any, run: Run) -> None:
    """Add a legend of the rules that fired, below the panels."""
    from matplotlib.lines import Line2D

    names = [escaping.figure(f"step {step}: {', '.join(rules)}") for step, rules in _fired_rules_to_mark(run).items()]
    if names:
        lines = [Line2D([], [], color=RED, linewidth=1.0, linestyle="-.") for _ in names]
        columns = 2 if max(map(len, names)) <= 60 else 1
        figure.legend(lines, names, loc="outside lower center", ncols=columns, fontsize=7)
