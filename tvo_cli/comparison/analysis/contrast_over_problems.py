"""Contrast of two arms over problems: paired by problem instead of by seed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import fmean

from tvo_cli.comparison.analysis.arms_and_blocks import ArmAtRate
from tvo_cli.comparison.analysis.metric_choice import MetricChoice
from tvo_cli.runs.own_run_folders import last_responses_file
from tvo_cli.runs.trial import FINISHED
from tvo_cli.stats import t_tests
from tvo_cli.stats.bootstrap import paired_clustered_bootstrap
from tvo_cli.stats.t_tests import Difference


@dataclass(frozen=True, slots=True)
class ProblemContrast:
    """The difference of two arms over problems, for these very policies: what other problems would say."""

    over_problems: Difference  # paired t of the problems' means
    bootstrap: Difference  # the same by a clustered bootstrap
    problems: int
    samples: int
    seeds: tuple[int, int]


def contrast_by_problem(a: ArmAtRate, b: ArmAtRate, how: MetricChoice) -> ProblemContrast | str:
    """Contrast two arms over problems: each problem's mean over samples and seeds, paired; or return why not."""
    if how.metric != "eval/pass@1":
        return f"problems are compared for eval/pass@1, not for {how.metric}"
    first, second = _scores_by_problem(a), _scores_by_problem(b)
    if not first or not second:
        return "not every finished run kept its last evaluation's responses"
    if set(first) != set(second):
        return "the arms were evaluated on different problems"
    order = sorted(first)
    left, right = [first[key] for key in order], [second[key] for key in order]
    means = [fmean(row) for row in left], [fmean(row) for row in right]
    seeds = (_finished_trials_with_problems(a), _finished_trials_with_problems(b))
    return ProblemContrast(
        t_tests.paired_difference(*means, how.confidence),
        paired_clustered_bootstrap(left, right, how.confidence),
        len(order),
        len(left[0]) // max(seeds[0], 1),
        seeds,
    )


def _finished_trials_with_problems(cell: ArmAtRate) -> int:
    return sum(trial.state == FINISHED for trial in cell.trials)


def _scores_by_problem(cell: ArmAtRate) -> dict[str, list[float]]:
    """Return every problem's scores over all finished runs; nothing when a run lacks them."""
    found: dict[str, list[float]] = {}
    for trial in cell.trials:
        if trial.state == FINISHED:
            rows = _scores_in_responses_file(trial.run.folder, str(trial.settings.get("suite", "")))
            if not rows:
                return {}
            for key, scores in rows.items():
                found.setdefault(key, []).extend(scores)
    sizes = {len(scores) for scores in found.values()}
    return found if len(sizes) == 1 else {}


@lru_cache(maxsize=1024)
def _scores_in_responses_file(folder: Path, suite: str) -> Mapping[str, list[float]]:
    path = last_responses_file(folder)
    found: dict[str, list[float]] = {}
    try:
        for line in path.read_text(encoding="utf-8", errors="replace").split("\n") if path else ():
            if not line:
                continue
            row = json.loads(line)
            if (suite and row.get("suite") != suite) or row.get("decoding", "sampled") != "sampled":
                continue
            if row.get("test_set"):  # a run's further test sets are no part of its pass@1
                continue
            found.setdefault(str(row["id"]), []).append(float(row["correct"]))
    except (ValueError, KeyError, TypeError):
        return {}
    return found
