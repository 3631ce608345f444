"""Tuples through the JSON that a worker is sent: two tasks of reasoning_gym compare their metadata with tuples.

data/reasoning_gym_tasks.py keeps them in a problem.
"""

from __future__ import annotations

from typing import Any

TUPLE = "__tuple__"


def tag_tuples(value: Any) -> Any:
    """The value with every tuple as {"__tuple__": [...]}."""
    if isinstance(value, tuple):
        return {TUPLE: [tag_tuples(item) for item in value]}
    if isinstance(value, list):
        return [tag_tuples(item) for item in value]
    if isinstance(value, dict):
        return {key: tag_tuples(item) for key, item in value.items()}
    return value


def untag_tuples(read: dict[str, Any]) -> Any:
    """The object hook of json that brings tagged tuples back."""
    return tuple(read[TUPLE]) if read.keys() == {TUPLE} else read
