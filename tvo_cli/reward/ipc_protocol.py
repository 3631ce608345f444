"""Tuples through JSON: two tasks of reasoning_gym compare their metadata with tuples.

data/reasoning_tasks.py keeps them in a problem.
"""

from __future__ import annotations

from typing import Any

TUPLE = "__tuple__"


def tagged(value: Any) -> Any:
    """The value with every tuple as {"__tuple__": [...]}."""
    if isinstance(value, tuple):
        return {TUPLE: [tagged(item) for item in value]}
    if isinstance(value, list):
        return [tagged(item) for item in value]
    if isinstance(value, dict):
        return {key: tagged(item) for key, item in value.items()}
    return value


def untagged(read: dict[str, Any]) -> Any:
    """The object hook that brings the tuples back."""
    return tuple(read[TUPLE]) if read.keys() == {TUPLE} else read
