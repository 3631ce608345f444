"""Whether the default suite of `tvo eval` asks what a run was trained on."""

from __future__ import annotations

from typing import Any

import pytest

from tvo_cli.config.default_suite import is_run_of_default_suite


@pytest.mark.parametrize(
    ("config", "alike"),
    [
        ({}, True),
        ({"dataset": {"name": "arithmetic", "operations": 5, "suffix": ""}, "reward": {"scorer": None}}, True),
        ({"dataset": {"name": "arithmetic", "operations": [1, 5]}}, False),
        ({"dataset": {"name": "jsonl"}}, False),
        ({"model": {"prompt": {"template": "plain", "system": None, "suffix": " ="}}}, False),
        ({"model": {"prompt": {"template": "chat"}}}, False),
        ({"reward": {"scorer": "mine.py:judge"}}, False),
    ],
)
def test_the_default_suite_is_a_runs_own_where_nothing_differs(config: dict[str, Any], alike: bool) -> None:
    assert is_run_of_default_suite(config) is alike
