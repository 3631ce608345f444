"""The figure of docs/results/first-light.md: final accuracy against the learning rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.harness.record import Record, group
from tvo_cli.stats import mean_interval

SHOWN = {
    "tvo_2025": ("TVO", "#0072B2", "o"),
    "grpo_shrunk_cv": ("GRPO with TVO's variance pieces", "#009E73", "D"),
    "reinforce": ("REINFORCE", "#999999", "v"),
    "grpo": ("GRPO", "#D55E00", "s"),
    "ppo": ("PPO", "#CC79A7", "^"),
}


START = 0.44  # pass@1 before training


def draw(record: Record, folder: Path) -> None:
    """Mean, 95% t interval and every seed, one line an algorithm; rates.png and rates.svg."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    drawn, axes = pyplot.subplots(figsize=(6.4, 4.0), layout="constrained")
    rows = [row for row in record.rows("runs") if row["part"] == "rates"]
    for (algorithm,), mine in group(rows, "algorithm").items():
        found = {lr: [row["final"] for row in runs] for (lr,), runs in group(mine, "lr").items()}
        if algorithm in SHOWN:
            _line(axes, algorithm, dict(sorted(found.items())))
    axes.set(xscale="log", ylim=(0, 1), xlabel="learning rate", ylabel="pass@1 after 3,840 rollouts")
    axes.axhline(START, color="black", linewidth=0.8, linestyle=":")
    axes.text(4.2e-5, START + 0.01, "start", fontsize=8)
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("png", "svg"):
        drawn.savefig(folder / f"rates.{kind}", dpi=160)


def _line(axes: Any, algorithm: str, found: dict[float, list[float]]) -> None:
    label, colour, marker = SHOWN[algorithm]
    points = [(lr, mean_interval(values)) for lr, values in found.items() if len(values) > 1]
    if not points:
        return
    rates, means = [lr for lr, _ in points], [interval.mean for _, interval in points]
    axes.plot(rates, means, color=colour, marker=marker, label=label)
    seeds = [(lr, value) for lr in rates for value in found[lr]]
    axes.scatter(*zip(*seeds), s=9, color=colour, alpha=0.6, linewidths=0, zorder=3)
    low, high = [max(i.low, 0.0) for _, i in points], [min(i.high, 1.0) for _, i in points]
    axes.fill_between(rates, low, high, color=colour, alpha=0.12, linewidth=0)
