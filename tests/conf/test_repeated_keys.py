"""A key that is given more than once is said; which value holds is Hydra's doing."""

from __future__ import annotations

import pytest

from tvo_cli.config import compose, notes_on_repeated_keys
from tvo_cli.errors import UserError


def test_a_key_given_twice_is_said_with_the_value_that_holds() -> None:
    words = ["seed=1", "algorithm=grpo", "optimizer.lr=1e-4", "seed=2,3", "++optimizer.lr=1e-3", "seed=4"]
    assert notes_on_repeated_keys(words) == [
        "seed is given 3 times (seed=1 seed=2,3 seed=4): the last one holds, seed=4.",
        "optimizer.lr is given twice (optimizer.lr=1e-4 ++optimizer.lr=1e-3): the last one holds, ++optimizer.lr=1e-3.",
    ]
    config = compose([word for word in words if "," not in word])
    assert (config.seed, config.optimizer.lr) == (4, 1e-3), "as the lines say"


@pytest.mark.parametrize(
    "words",
    [
        ["seed=1", "optimizer.lr=1"],
        ["seed=1", "seed=1", "++seed=1"],  # nothing is lost
        ["-m", "--config-dir=a", "--config-dir=b"],
        ["~logger.mirrors", "+logger.mirrors={}"],
        ["+a={x: 1}", "a={y: 2}"],  # merged
        ["+dataset.options.a=1", "+dataset.options.a=2"],  # refused by Hydra
        ["suite@one=a", "suite@two=b"],
    ],
)
def test_what_hydra_merges_adds_or_refuses_is_not_said(words: list[str]) -> None:
    assert notes_on_repeated_keys(words) == []


def test_a_secret_is_not_shown() -> None:
    [note] = notes_on_repeated_keys(["+dataset.options.api_key=hush", "dataset.options.api_key=hush2"])
    assert "hush" not in note and "***" in note


@pytest.mark.parametrize("value", ["null", "True", "1", "1.5", "-2e3", ".5"])
def test_a_group_that_is_given_no_name_is_refused(value: str) -> None:
    with pytest.raises(UserError, match=rf"^logger={value}: names no choice. logger=none is without. All choices: tvo"):
        compose([f"logger={value}"])


@pytest.mark.parametrize("word", ["algorithm=grpo,null", "evaluation=[math500,null]"])
def test_one_of_several_choices_that_is_no_name_is_refused(word: str) -> None:
    with pytest.raises(UserError, match=rf"^{word.partition('=')[0]}=null: names no choice"):
        compose([word])
