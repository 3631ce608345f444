"""The entries of reward.functions, read without loading anything; and the check that loads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tvo_cli.errors import UserError
from tvo_cli.plugins.reward_entries import check_reward_functions, reward_entries


def test_an_entry_has_its_own_keys_and_hands_every_other_on() -> None:
    short, long = reward_entries(
        [
            {"call": "mine.py:brevity", "weight": 0.2, "target_words": 30},
            {"call": "pack.mod:Class.f", "name": "g", "deadline": 9},
        ]
    )
    assert (short.name, short.weight, short.deadline, short.keywords) == ("brevity", 0.2, None, {"target_words": 30})
    assert (long.name, long.weight, long.deadline, long.keywords) == ("g", 1.0, 9.0, {})
    assert reward_entries(None) == []


@pytest.mark.parametrize(
    ("nodes", "refusal"),
    [
        ([{"weight": 1.0}], r"functions\.0\.call=.*names no function"),
        ([{"call": "mine.py"}], r"functions\.0\.call=mine\.py: names no function"),
        ([{"call": "m.py:f", "weight": "much"}], r"functions\.0\.weight=much: must be a number"),
        ([{"call": "m.py:f", "weight": True}], r"functions\.0\.weight=True: must be a number"),
        ([{"call": "m.py:f", "weight": float("nan")}], r"functions\.0\.weight=nan: must be a number"),
        ([{"call": "m.py:f", "deadline": 0}], r"functions\.0\.deadline=0: must be a number, at least 0\.01"),
        ([{"call": "m.py:f"}, {"call": "n.py:f"}], r"functions\.1\.name=f: is the name of an earlier function"),
        ([{"call": "m.py:mean"}], r"functions\.0\.name=mean: reward/mean is another reading"),
        ([{"call": "m.py:f", "name": "a/b"}], r"functions\.0\.name=a/b: is no name of a metric"),
    ],
)
def test_an_entry_that_says_too_little_or_too_much_is_refused(nodes: list[dict[str, Any]], refusal: str) -> None:
    with pytest.raises(UserError, match=refusal):
        reward_entries(nodes)


def test_the_check_loads_every_function_and_reads_its_signature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("def brevity(responses, target_words): ...\n")
    check_reward_functions([{"call": "mine.py:brevity", "target_words": 3}])
    with pytest.raises(UserError, match=r"functions\.0\.target_words=: is missing"):
        check_reward_functions([{"call": "mine.py:brevity"}])
    with pytest.raises(UserError, match=r"functions\.0\.call=mine\.py:brevty: .*Nearest: brevity"):
        check_reward_functions([{"call": "mine.py:brevty"}])
