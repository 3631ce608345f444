"""Problems of the reasoning_gym package, generated offline (pip install -e '.[reasoning-gym]')."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tvo_cli.data.random_stream import stable_hash
from tvo_cli.data.row_selection import limit_of
from tvo_cli.errors import UserError
from tvo_cli.nearest_names import closest_names
from tvo_cli.types import Problem

STREAMS = 2**30  # reasoning_gym seeds entry i by seed + i: the two splits draw from streams this far apart


class ReasoningGymProblems:
    """Problems of one reasoning_gym task, each generated when it is asked for; judged by the task's own scorer."""

    neutral_words: tuple[str, ...] = ()

    def __init__(self, name: str, task: str, entries: Any, size: int, split: str, seed: int) -> None:
        self.name, self.task, self.split, self.seed = name, task, split, seed
        self.size: int | None = size
        self._entries = entries

    def problem(self, index: int) -> Problem:
        """The problem with this index, from 0 up; metadata is the entry's, as it is judged."""
        entry = self._entries[index]
        return Problem(
            id=f"{self.task}/{self.seed}/{self.split}/{index}",
            question=str(entry["question"]),
            answer="" if entry["answer"] is None else str(entry["answer"]),
            source=self.name,
            subject=self.task,
            scorer=f"reasoning_gym:{self.task}",
            metadata=_metadata_as_stored(entry["metadata"]),
        )


def load_reasoning_gym_task(node: Mapping[str, Any], *, split: str, seed: int) -> ReasoningGymProblems:
    """Load dataset.task with dataset.size entries a split; dataset.options go to the task's own configuration."""
    task, size = str(node.get("task") or ""), node.get("size")
    if not isinstance(size, int) or not 1 <= size < STREAMS:
        raise UserError("dataset.size", size, "is not a number of problems.", "Give 1 or more.")
    size = min(size, limit_of(node) or size)
    start = stable_hash("reasoning_gym", seed) % STREAMS + (STREAMS if split == "test" else 0)
    entries = _create_reasoning_gym_entries(task, size, start, dict(node.get("options") or {}))
    return ReasoningGymProblems(str(node["name"]), task, entries, size, split, seed)


def _create_reasoning_gym_entries(task: str, size: int, seed: int, options: Mapping[str, Any]) -> Any:
    try:
        import reasoning_gym
        from reasoning_gym.factory import DATASETS
    except ImportError as error:
        raise UserError(
            "dataset",
            "reasoning_gym",
            "the package reasoning_gym is not installed.",
            "Run: pip install -e '.[reasoning-gym]'",
        ) from error
    if task not in DATASETS:
        near = closest_names(task, DATASETS) or sorted(DATASETS)[:3]
        raise UserError(
            "dataset.task",
            task,
            f"is none of the {len(DATASETS)} tasks of reasoning_gym.",
            f"Did you mean {', '.join(near)}?",
        )
    try:
        entries = reasoning_gym.create_dataset(task, size=size, seed=seed, **options)
    except (AssertionError, TypeError, ValueError) as error:
        raise UserError("dataset.options", dict(options), f"{task} refuses them: {error}.") from error
    _check_task_knows_its_gold(task, entries)
    return entries


def _check_task_knows_its_gold(task: str, entries: Any) -> None:
    """Refuse a task whose scorer takes its own gold for wrong once the metadata has passed through a pipe."""
    entry = dict(entries[0])
    stored = entry | {"metadata": _metadata_as_stored(entry["metadata"])}
    gold = entry["answer"]
    if gold is not None and entries.score_answer(gold, stored) < entries.score_answer(gold, entry):
        raise UserError(
            "dataset.task",
            task,
            "its scorer does not know its own gold once the problem was stored.",
            "Choose another task.",
        )


def _metadata_as_stored(value: Any) -> Any:
    """Return an entry's metadata as they arrive in the grader's process: JSON and tuples (reward/json_tuples.py).

    Two tasks (arc_agi, rearc) compare grids with tuples of tuples.
    """
    if isinstance(value, tuple):
        return tuple(_metadata_as_stored(item) for item in value)
    if isinstance(value, list):
        return [_metadata_as_stored(item) for item in value]
    if isinstance(value, Mapping):
        return {
            name: _metadata_as_stored(item)
            for name, item in zip(_task_metadata_keys(value), value.values(), strict=True)
        }
    return json.loads(json.dumps(value, default=str))


def _task_metadata_keys(value: Mapping[Any, Any]) -> list[str]:
    """Return the keys of metadata as JSON spells them: 1 is "1" and true is "true"."""
    return list(json.loads(json.dumps(dict.fromkeys(value))))
