"""What a mistyped name may stand for."""

from __future__ import annotations

import pytest

from tvo_cli.nearest_names import closest_names, nearest_names

NAMES = ("grpo", "dr_grpo", "ppo", "AdamW", "Lion", *(f"other{i}" for i in range(20)))


@pytest.mark.parametrize(
    ("word", "first"), [("GRPO", "grpo"), ("gpro", "grpo"), ("Dr_GRPO", "dr_grpo"), ("adamw", "AdamW")]
)
def test_a_name_is_found_in_capitals_too(word: str, first: str) -> None:
    assert closest_names(word, NAMES)[0] == first
    assert nearest_names(word, NAMES).startswith(f"Nearest: {first}")


def test_a_word_like_none_is_given_none_of_many() -> None:
    assert nearest_names("zzzzzz", NAMES) == "" and nearest_names("zzz", ["a", "b"]) == "There are: a, b."
