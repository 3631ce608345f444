"""The figure of docs/results/real-model.md: where each run ends, and how noisy its gradient is, by learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.harness.record import Record, Row, group

COLOURS = {"tvo": "#0072B2", "tvo_2025": "#56B4E9", "grpo": "#D55E00", "grpo_shrunk_cv": "#009E73"}
COLOURS |= {"reinforce": "#CC79A7", "ppo": "#555555"}
PANELS = {"final": "pass@1 after 60 steps", "noise": "gradient/normalised_variance", "tv": "largest policy/tv"}


def draw(record: Record, folder: Path) -> None:
    """rates.png and rates.svg; the pilot's runs are left out. Nothing where there is no run."""
    runs = [run for run in record.rows("runs") if run["part"] != "pilot"]
    if not runs:
        return
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    drawn, axes = pyplot.subplots(1, len(PANELS), figsize=(10, 3.4), layout="constrained")
    for one, (field, label) in zip(axes, PANELS.items(), strict=True):
        _panel(one, runs, field, label)
    axes[0].set_ylim(0, 1)
    axes[0].axhline(fmean(run["start"] for run in runs if run["start"] is not None), color="black", ls=":", lw=0.8)
    drawn.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("png", "svg"):
        drawn.savefig(folder / f"rates.{kind}", dpi=130)
    pyplot.close(drawn)


def _panel(axes: Any, runs: Sequence[Row], field: str, label: str) -> None:
    """Every run a dot, the mean of an algorithm's seeds a line over its rates."""
    for (name,), found in group(runs, "row").items():
        known = [run for run in found if run[field] is not None]
        means = {rate: fmean(run[field] for run in at) for (rate,), at in sorted(group(known, "lr").items())}
        colour = COLOURS.get(name, "black")
        axes.scatter([run["lr"] for run in known], [run[field] for run in known], s=12, color=colour, alpha=0.5)
        axes.plot(list(means), list(means.values()), color=colour, label=name)
    axes.set(xscale="log", xlabel="learning rate", title=label)
    if field != "final":
        axes.set_yscale("log")
