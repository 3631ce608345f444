"""The finished runs that benchmarks.diagnosis reads, set by set, and what a figure of theirs is worth.

Their logs are kept in docs/results/diagnosis/runs (benchmarks/diagnosis/kept.py), whose folders of runs come from
benchmarks.second_edition, benchmarks.momentum and benchmarks.any_rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Standing = Literal["even", "odd", "read", "outside"]
STANDINGS: Mapping[Standing, str] = {
    "even": "even seeds: thresholds were set on them",
    "odd": "odd seeds: figures; no threshold was set on them",
    "read": "their verdicts were read, and rules were changed because of them",
    "outside": "finished, or first looked at, after the last change of a rule",
}
FIGURES = ("odd", "outside")  # what nothing was set on
READ_SEEDS = (1000, 1001)  # of arithmetic
SPARSE = ("grpo_shrunk_cv_one_response", "tvo_one_response")  # the rows that were done when logs were kept first
SPARSE_LATER = ("dapo", "grpo_shrunk_cv", "grpo_shrunk_cv_first_order", "tvo_2025")  # done later


@dataclass(frozen=True)
class RunSet:
    """Runs that are kept in one file; a line of the page's first table is all sets of a title."""

    name: str  # of the file, without .json.gz
    title: str
    standing: Standing | None  # None: that of the half of its seed
    folders: tuple[str, ...]  # patterns of the folders of the runs, below those of the study

    def standing_of(self, seed: int) -> Standing:
        """What the figures of its runs of a seed are worth."""
        return self.standing or half_of(seed)


def half_of(seed: int) -> Standing:
    """Thresholds are set on even seeds."""
    return "odd" if seed % 2 else "even"


def _of_arithmetic(seed: int) -> RunSet:
    if seed in READ_SEEDS:
        return RunSet(f"arithmetic-{seed}", f"arithmetic, seed {seed}", "read", (f"second_edition/{seed}",))
    return RunSet(f"arithmetic-{seed}", "arithmetic, seeds 1002 to 1009", None, (f"second_edition/{seed}",))


def _of_sparse(rows: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{sweep}-{row}" for sweep in ("sparse", "choice-of-rates-sparse") for row in rows)


def _at_any_rate(task: str) -> RunSet:
    """A sweep of benchmarks.any_rate: first looked at after the last change of a rule."""
    folder = task.rpartition(", ")[2].replace(" ", "-")
    return RunSet(f"any-rate-{folder}", f"{task}, TVO at any rate", "outside", (folder,))


SETS = (
    *map(_of_arithmetic, range(1000, 1010)),
    RunSet("momentum", "momentum", "read", ("1[23][0-9]",)),
    RunSet("four-passes", "arithmetic, four passes", None, ("second_edition_four_passes",)),
    RunSet("groups", "arithmetic, groups of eight", None, ("second_edition_groups",)),
    RunSet("refused", "arithmetic, refused updates", None, ("second_edition_refuse",)),
    RunSet("addition", "addition", None, ("addition-*", "choice-of-rates-addition-*")),
    RunSet("sparse", "sparse", None, _of_sparse(SPARSE)),
    RunSet("sparse-later", "sparse, four more rows", None, _of_sparse(SPARSE_LATER)),
    RunSet("long", "arithmetic, 120 batches", None, ("120-batches-*",)),
    *map(_at_any_rate, ("arithmetic", "addition", "sparse", "arithmetic, 120 batches")),
)
BY_NAME = {one.name: one for one in SETS}
