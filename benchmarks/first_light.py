"""The first comparison: every algorithm on the embedded tasks, over learning rates, seeds, cooling and inner epochs.

    python -m benchmarks.first_light run --workers 2     run what is not done yet (resumable; about an hour on 2 cores)
    python -m benchmarks.first_light table               docs/results/first-light.md's tables from the runs
    python -m benchmarks.first_light figure              the figure of accuracy against learning rate

A run is `tvo train <overrides> logger=none`, in a worker process that runs one after another; what is done is
recognised by its summary.json. Seeds 0 to 4 report; defaults were chosen on seeds 100 and 101.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

OUTPUT = Path("outputs/first-light")
QUIET = ("logger=none", "trainer.checkpoint_every=0", "trainer.threads=1", "evaluation.at_start=false")
COOLED = "optimizer=adamw_cooled"
TASKS = {
    "arithmetic": (),
    "addition": ("dataset=addition", "model=tiny_addition"),
    "sparse": ("dataset=addition", "model=tiny_addition_sparse", "trainer.steps=60"),
}


class Arm(NamedTuple):
    """One row of a table: an algorithm with its settings on a task."""

    table: str
    task: str
    algorithm: str
    lr: float
    seeds: int
    extra: tuple[str, ...] = ()

    def overrides(self, seed: int) -> list[str]:
        """What `tvo train` is given."""
        return [
            *TASKS[self.task],
            f"algorithm={self.algorithm}",
            *("rollout.epochs=4", "rollout.minibatches=4"),  # as these tables were made, whatever a recipe takes today
            *self.extra,
            f"optimizer.lr={self.lr:g}",
            f"seed={seed}",
        ]

    def folder(self, seed: int) -> Path:
        """Where the run lies."""
        name = ",".join([self.algorithm, f"{self.lr:g}", *self.extra, f"s{seed}"]).replace("/", "_")
        return OUTPUT / self.task / name


RATES = {
    "tvo": (1e-4, 3e-4, 1e-3, 3e-3),
    "grpo": (5e-5, 1e-4, 3e-4, 1e-3),
    "ppo": (5e-5, 1e-4, 3e-4, 1e-3),
    "reinforce": (5e-5, 1e-4, 3e-4, 1e-3),
    "grpo_shrunk_cv": (5e-5, 1e-4, 2e-4, 3e-4, 1e-3),
    "grpo_shrunk": (1e-4, 2e-4),
    "grpo_viscous": (3e-4, 1e-3),
    "tvo_rec": (3e-4, 1e-3),
    "tvo_macro": (1e-3,),
    "tvo_micro": (1e-4, 2e-4),
}
TASK_RATES = {
    "tvo": (1e-3,),
    "grpo": (5e-5, 1e-4, 2e-4),
    "ppo": (5e-5,),
    "reinforce": (5e-5, 1e-4),
    "grpo_shrunk_cv": (1e-4, 2e-4),
    "tvo_rec": (1e-3,),
}
COOLED_RATES = {"grpo": (5e-5, 1e-4), "ppo": (5e-5,), "reinforce": (5e-5,), "grpo_shrunk_cv": (1e-4, 2e-4)}
LEVEL = ("algorithm.step_rule.schedule.start=1", "algorithm.step_rule.schedule.end=1")
EPOCH_RATES = {"tvo": (1e-3,), "grpo": (1e-4, 2e-4), "reinforce": (1e-4, 2e-4), "grpo_shrunk_cv": (2e-4, 3e-4)}


def arms() -> Iterator[Arm]:
    """Every row, in the order in which they are worth having."""
    yield from _grid("rates", "arithmetic", RATES, 5)
    yield from _grid("tasks", "addition", TASK_RATES, 3)
    yield from _grid("tasks", "sparse", TASK_RATES, 3)
    yield from _grid("cooling", "arithmetic", COOLED_RATES, 5, (COOLED,))
    yield Arm("cooling", "arithmetic", "tvo", 1e-3, 5, LEVEL)
    for epochs in (2, 1):
        yield from _grid("epochs", "arithmetic", EPOCH_RATES, 5, (f"rollout.epochs={epochs}",))


def _grid(
    table: str, task: str, rates: dict[str, tuple[float, ...]], seeds: int, extra: tuple[str, ...] = ()
) -> Iterator[Arm]:
    for algorithm, grid in rates.items():
        for lr in grid:
            yield Arm(table, task, algorithm, lr, seeds, extra)


def jobs() -> list[tuple[Arm, int]]:
    """Seed by seed inside a table, so that an interrupted run leaves whole seeds."""
    listed = list(arms())
    found = []
    for table in dict.fromkeys(arm.table for arm in listed):
        chosen = [arm for arm in listed if arm.table == table]
        found += [(arm, seed) for seed in range(max(arm.seeds for arm in chosen)) for arm in chosen if seed < arm.seeds]
    return found


def work(part: int, of: int) -> None:
    """Run every `of`-th job that is not done."""
    import torch
    import transformers

    from tvo_cli import config
    from tvo_cli.experiment import train

    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    for arm, seed in jobs()[part::of]:
        folder = arm.folder(seed)
        if (folder / "summary.json").is_file():
            continue
        print(f"[{part}] {folder}", flush=True)
        settings = config.compose([*QUIET, *arm.overrides(seed), f"output_dir='{folder}'", "logger.console=off"])
        train(settings)


def runs(arm: Arm) -> list[dict[str, Any]]:
    """Summary and curve of each finished seed."""
    found = []
    for seed in range(arm.seeds):
        folder = arm.folder(seed)
        if (folder / "summary.json").is_file() and (folder / "metrics.jsonl").is_file():
            steps = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
            found.append(
                {
                    "summary": json.loads((folder / "summary.json").read_text()),
                    "steps": [row for row in steps if "accuracy/fresh" in row],
                }
            )
    return found


HEADINGS = ("algorithm", "lr", "settings", "n", "pass@1 (95% t)", "AUC", "seeds", "entropy", "neutral", "collapsed")


def row(arm: Arm) -> list[str]:
    """One line of a table, every seed shown."""
    from tvo_cli.stats import mean_interval

    found = runs(arm)
    if not found:
        return []
    final = [float(run["summary"]["evaluation"]["eval/pass@1"]) for run in found]
    area = [statistics.fmean(step["accuracy/fresh"] for step in run["steps"]) for run in found]
    last = [run["steps"][-1] for run in found]
    interval = mean_interval(final) if len(final) > 1 else None
    shown = f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]" if interval else f"{final[0]:.3f}"
    fallen = sum(collapsed(run, value) for run, value in zip(found, final))
    return [
        *(arm.algorithm, f"{arm.lr:g}", " ".join(arm.extra) or "-", str(len(found)), shown),
        f"{statistics.fmean(area):.3f}",
        " ".join(f"{value:.3f}" for value in final),
        f"{statistics.fmean(step['policy/entropy'] for step in last):.2f}",
        f"{statistics.fmean(step.get('neutral/entropy', 0.0) for step in last):.2f}",
        f"{fallen}/{len(found)}",
    ]


def collapsed(run: dict[str, Any], final: float) -> bool:
    """Below half of its own peak (mean of 3 batches), or entropy under a tenth of the start (docs/metrics.md)."""
    accuracy = [step["accuracy/fresh"] for step in run["steps"]]
    peak = max(statistics.fmean(accuracy[max(0, i - 2) : i + 1]) for i in range(len(accuracy)))
    entropy = [step["policy/entropy"] for step in run["steps"]]
    return final < 0.5 * peak or statistics.fmean(entropy[-3:]) < 0.1 * entropy[0]


def table() -> None:
    """Print every table as Markdown."""
    listed = list(arms())
    for key in dict.fromkeys((arm.table, arm.task) for arm in listed):
        print(f"\n### {key[0]}: {key[1]}\n\n| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}")
        for arm in listed:
            cells = row(arm) if (arm.table, arm.task) == key else []
            if cells:
                print(f"| {' | '.join(cells)} |")


SHOWN = {
    "tvo": ("TVO", "#0072B2", "o"),
    "grpo_shrunk_cv": ("GRPO with TVO's variance pieces", "#009E73", "D"),
    "reinforce": ("REINFORCE", "#999999", "v"),
    "grpo": ("GRPO", "#D55E00", "s"),
    "ppo": ("PPO", "#CC79A7", "^"),
}


def figure() -> None:
    """Final pass@1 against the learning rate, mean, 95% t interval and every seed, one line an algorithm."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from tvo_cli.stats import mean_interval

    drawn, axes = pyplot.subplots(figsize=(6.4, 4.0), layout="constrained")
    for algorithm, (label, colour, marker) in SHOWN.items():
        found = {arm.lr: _finals(arm) for arm in arms() if arm.table == "rates" and arm.algorithm == algorithm}
        points = [(lr, mean_interval(values)) for lr, values in sorted(found.items()) if len(values) > 1]
        if not points:
            continue
        rates, means = [lr for lr, _ in points], [interval.mean for _, interval in points]
        axes.plot(rates, means, color=colour, marker=marker, label=label)
        seeds = [(lr, value) for lr in rates for value in found[lr]]
        axes.scatter(*zip(*seeds), s=9, color=colour, alpha=0.6, linewidths=0, zorder=3)
        low, high = [max(i.low, 0.0) for _, i in points], [min(i.high, 1.0) for _, i in points]
        axes.fill_between(rates, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.set(xscale="log", ylim=(0, 1), xlabel="learning rate", ylabel="pass@1 after 3,840 rollouts")
    axes.axhline(0.44, color="black", linewidth=0.8, linestyle=":")
    axes.text(4.2e-5, 0.45, "start", fontsize=8)
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    folder = Path("docs/results/figures")
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("png", "svg"):
        drawn.savefig(folder / f"rates.{kind}", dpi=160)


def _finals(arm: Arm) -> list[float]:
    return [float(run["summary"]["evaluation"]["eval/pass@1"]) for run in runs(arm)]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "table", "figure"))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    if chosen.what in ("table", "figure"):
        {"table": table, "figure": figure}[chosen.what]()
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=(k, chosen.workers)) for k in range(chosen.workers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
