"""The finished runs that benchmarks.diagnosis reads, set by set, and what a figure of theirs is worth.

Their logs are kept in docs/results/diagnosis/runs (benchmarks/diagnosis_kept.py), whose folders of runs come from
benchmarks.second_edition and benchmarks.momentum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Standing = Literal["even", "odd", "read", "outside"]
STANDINGS: Mapping[Standing, str] = {
    "even": "even seeds: thresholds were set on them",
    "odd": "odd seeds: figures; no threshold was set on them",
    "read": "their verdicts were read, and rules were changed because of them",
    "outside": "finished, or first looked at, after the last change of a rule",
}
READ_SEEDS = (1000, 1001)  # of arithmetic
SPARSE = (  # the sweeps that were done when the logs were kept
    "sparse-grpo_shrunk_cv_one_response",
    "sparse-tvo_one_response",
    "choice-of-rates-sparse-grpo_shrunk_cv_one_response",
    "choice-of-rates-sparse-tvo_one_response",
)


@dataclass(frozen=True)
class RunSet:
    """Runs that are kept in one file; a line of the page's first table is all sets of a title."""

    name: str  # of the file, without .json.gz
    title: str
    standing: Standing
    folders: tuple[str, ...]  # patterns of the folders of the runs, below those of the study


def _of_arithmetic(seed: int) -> RunSet:
    if seed in READ_SEEDS:
        return RunSet(f"arithmetic-{seed}", f"arithmetic, seed {seed}", "read", (f"second_edition/{seed}",))
    return RunSet(f"arithmetic-{seed}", "arithmetic, seeds 1002 to 1009", "outside", (f"second_edition/{seed}",))


SETS = (
    *map(_of_arithmetic, range(1000, 1010)),
    RunSet("momentum", "momentum", "read", ("1[23][0-9]",)),
    RunSet("four-passes", "arithmetic, four passes", "outside", ("second_edition_four_passes",)),
    RunSet("groups", "arithmetic, groups of eight", "outside", ("second_edition_groups",)),
    RunSet("refused", "arithmetic, refused updates", "outside", ("second_edition_refuse",)),
    RunSet("addition", "addition", "outside", ("addition-*", "choice-of-rates-addition-*")),
    RunSet("sparse", "sparse", "outside", SPARSE),
)
BY_NAME = {one.name: one for one in SETS}
