"""Held-out problems that are training problems too: pass@1 on them says nothing of what was learnt."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from tvo_cli.data.mixture import Mixture
from tvo_cli.data.problems import Problems
from tvo_cli.types import Problem

log = logging.getLogger("tvo")
READ = (
    "jsonl",
    "hub",
    "own",
)  # kinds of data that may hold a question twice; generated ones are split by their question


def warn_of_heldout_overlap(config: Any, training_problems: Problems, heldout_problems: Iterable[Problem]) -> None:
    """Warn of held-out problems that are training problems too; generated data are split by their question."""
    asked = {problem.id: _normalized_question_of_run(problem) for problem in heldout_problems}
    read = list(_read_data_sets(config.dataset, training_problems))
    if not asked or not read:
        return
    trained = {
        _normalized_question_of_run(problem) for _, problems in read for problem in _iterate_problems_of_run(problems)
    }
    both = [name for name, question in asked.items() if question in trained]
    if both:
        causes = (_cause_of_overlap_in_run(node) for node, _ in read)
        log.warning(
            "%d of the %d held-out problems are training problems too (first: %s): pass@1 on them is no measure of "
            "what was learnt%s",
            *(len(both), len(asked), both[0], next(filter(None, causes), "")),
        )


def _read_data_sets(node: Any, problems: Problems) -> Iterator[tuple[Any, Problems]]:
    """Yield the data sets of a run in which held-out problems are looked for, each with its node."""
    if isinstance(problems, Mixture):
        for source in problems.sources:
            yield from _read_data_sets(node.sources[source.name], source.problems)
    elif node["kind"] in READ:
        yield node, problems


def _cause_of_overlap_in_run(node: Any) -> str:
    if node["kind"] == "jsonl" and node.get("test_path") and node.get("test_path") == node.get("path"):
        return "; dataset.test_path is dataset.path itself. Leave it out, and dataset.holdout holds rows out"
    return ""


def _normalized_question_of_run(problem: Problem) -> str:
    return " ".join(problem.asked.split())


def _iterate_problems_of_run(problems: Problems) -> Iterable[Problem]:
    """All problems of a data set, to look for those that are held out and trained on too."""
    return map(problems.problem, range(problems.size or 0))
