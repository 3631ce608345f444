"""The tables of docs/results/real-model.md: a line a run, each algorithm and rate over its seeds, the differences."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.harness import markdown
from benchmarks.harness.record import Row, group
from benchmarks.sweeps.verdicts import comparisons
from tvo_cli.stats import mean_interval

FIRST, LATE, LAST = 20, 20, 10  # informative batches; steps of which accuracy and entropy are taken
REFERENCES = ("tvo", "tvo_2025")  # every algorithm is compared with each of them


def tables(runs: Sequence[Row]) -> str:
    """All of them; the pilot's runs are listed and not compared."""
    compared = [row for row in runs if row["part"] != "pilot"]
    parts = [table_of_runs(runs), table_over_seeds(compared) if compared else ""]
    return "\n\n".join(filter(None, [*parts, *comparisons(_of_whole_seeds(compared), REFERENCES)]))


def _of_whole_seeds(runs: Sequence[Row]) -> list[Row]:
    """The runs whose seed has all the rates that the algorithm has at any seed, of algorithms with two such seeds."""
    found: list[Row] = []
    for of_row in group(runs, "row").values():
        rates = {run["lr"] for run in of_row}
        whole = [of_seed for of_seed in group(of_row, "seed").values() if {run["lr"] for run in of_seed} == rates]
        found += [run for of_seed in whole for run in of_seed] if len(whole) > 1 else []
    return found


def table_of_runs(runs: Sequence[Row]) -> str:
    """A line a run."""
    rows = [
        [f"{run['row']} {run['lr']:g}, seed {run['seed']}", f"{_told(run['start'])} → {run['final']:.3f}"]
        + [_told(run[name]) for name in ("late", "noise", "tv", "settled")]
        + [run["verdict"], run["commit"]]
        for run in runs
    ]
    head = ["run", "pass@1, start → end", f"fresh accuracy, last {LATE}", "normalised gradient variance"]
    head += ["policy/tv at most", f"policy/entropy, last {LAST}", "verdict", "commit"]
    return markdown.table(head, rows)


def table_over_seeds(runs: Sequence[Row]) -> str:
    """Mean finals with their 95% t intervals, medians of the noise, and how many runs the rules call collapsed."""
    rows = []
    for (name, rate), found in group(runs, "row", "lr").items():
        final, noise = mean_interval([run["final"] for run in found]), [run["noise"] for run in found]
        fallen = sum(run["verdict"].startswith("collapsed") for run in found)
        told = f"{final.mean:.3f} [{final.low:.3f}, {final.high:.3f}]" if len(found) > 1 else f"{final.mean:.3f}"
        known = [value for value in noise if value is not None]
        rows.append([name, f"{rate:g}", told, _told(median(known) if known else None), f"{fallen} of {len(found)}"])
    return markdown.table(["algorithm", "rate", "final [95%]", "noise, median", "called collapsed"], rows)


def _told(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
