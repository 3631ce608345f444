"""The figure of docs/results/zoo.md: every recipe at its own best rate, and at each rate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.harness.record import Record
from benchmarks.zoo.tables import Recipe, ranked_recipes
from tvo_cli.stats import mean_interval

OURS, BASELINES, OTHERS = "#0072B2", "#D55E00", "#555555"
LEGEND = {"TVO and its pieces": OURS, "baselines": BASELINES, "rivals": OTHERS}
PLAIN = ("grpo", "ppo", "reinforce", "dapo")
START = 0.44  # pass@1 before training
ROW = 0.155  # inches of a recipe


def draw(record: Record, folder: Path) -> None:
    """The seeds that have all rates; recipes.png and recipes.svg, of the embedded task only."""
    rates = [] if record.settings["after"] else sorted(record.settings["rates"])
    ranked = ranked_recipes(record.rows("runs"), rates) if rates else []
    if not ranked:
        return
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    size = (7.6, 0.8 + ROW * len(ranked))
    drawn, (left, right) = pyplot.subplots(1, 2, figsize=size, layout="constrained", width_ratios=(1.5, 1), sharey=True)
    _at_own_rates(left, ranked)
    _at_each_rate(right, ranked, rates)
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("png", "svg"):
        drawn.savefig(folder / f"recipes.{kind}", dpi=130)
    pyplot.close(drawn)


def _at_own_rates(axes: Any, ranked: Sequence[Recipe]) -> None:
    """A dot a seed, the mean and its 95% t interval."""
    for place, one in enumerate(ranked):
        values, colour = list(one.own.values()), _colour(one.name)
        axes.scatter(values, [place] * len(values), s=7, color=colour, alpha=0.5, linewidths=0)
        axes.plot([fmean(values)], [place], marker="|", markersize=8, color=colour)
        if len(values) > 1:
            interval = mean_interval(values)
            axes.plot([max(interval.low, 0.0), min(interval.high, 1.0)], [place, place], color=colour, linewidth=1)
    axes.set(xlim=(0, 1), ylim=(len(ranked) - 0.4, -0.6), xlabel="pass@1 at the own best rate, every seed")
    axes.axvline(START, color="black", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(ranked)), [one.name for one in ranked], fontsize=7)
    for label, one in zip(axes.get_yticklabels(), ranked, strict=True):
        label.set_color(_colour(one.name))
    axes.grid(axis="x", linewidth=0.3)
    for name, colour in LEGEND.items():
        axes.plot([], [], marker="|", color=colour, label=name)
    axes.legend(loc="upper left", fontsize=7, frameon=False)


def _at_each_rate(axes: Any, ranked: Sequence[Recipe], rates: Sequence[float]) -> None:
    """The mean over seeds, in numbers and in colour."""
    means = [[fmean(run["final"] for run in one.runs if run["lr"] == rate) for rate in rates] for one in ranked]
    axes.imshow(means, vmin=0, vmax=1, cmap="viridis", aspect="auto")
    for place, row in enumerate(means):
        for column, value in enumerate(row):
            colour = "black" if value > 0.6 else "white"
            axes.text(column, place, f"{value:.2f}", ha="center", va="center", fontsize=6, color=colour)
    axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates], fontsize=8)
    axes.set_xlabel("mean at each learning rate")
    axes.tick_params(left=False)


def _colour(name: str) -> str:
    """TVO and its pieces, the baselines, and the rest of the field."""
    if name.startswith("tvo") or any(piece in name for piece in ("shrunk", "overdamped", "viscous")):
        return OURS
    return BASELINES if name in PLAIN else OTHERS
