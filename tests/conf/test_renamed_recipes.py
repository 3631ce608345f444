"""`tvo` names another recipe since 0.2: what was recorded under the name goes on by its sizes, and is not mixed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvo_cli import config
from tvo_cli.config.renamed_recipes import SETTINGS_UNTIL
from tvo_cli.errors import UserError
from tvo_cli.training.resume.recorded_settings import resume_settings
from tvo_cli.training.resume.resume_compatibility import check_same_settings, differing_settings

SINCE, FIRST = "tvo_2025", "tvo"


def settings(recipe: str, *words: str) -> dict[str, object]:
    """The settings of a run that is about to begin, its precision settled."""
    return resume_settings(config.compose([f"algorithm={recipe}", "trainer.precision=float32", *words]))


def recorded_before() -> dict[str, object]:
    """The settings of a run of 0.1, by its recipe's first name."""
    return settings(SINCE) | {"algorithm.name": FIRST}


def test_the_two_recipes_differ_in_what_the_note_goes_by() -> None:
    now = settings(FIRST)
    assert set(differing_settings(recorded_before(), now)) == set(SETTINGS_UNTIL[FIRST])


def test_under_the_new_name_it_goes_on_where_that_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"resume.allow=\[algorithm.name\]"):
        check_same_settings(tmp_path, recorded_before(), settings(SINCE), ())
    check_same_settings(tmp_path, recorded_before(), settings(SINCE), ("algorithm.name",))


def test_with_another_setting_besides_it_does_not(tmp_path: Path) -> None:
    wanted = settings(FIRST, "optimizer.lr=3e-3")
    with pytest.raises(UserError) as refused:
        check_same_settings(tmp_path, recorded_before(), wanted, ())
    assert "optimizer.lr=0.003" in str(refused.value) and "another recipe" not in str(refused.value)


def test_under_its_first_name_it_is_refused_and_the_new_one_told(tmp_path: Path) -> None:
    wanted = settings(FIRST)
    with pytest.raises(UserError) as refused:
        check_same_settings(tmp_path, recorded_before(), wanted, ())
    assert f"{FIRST} was another recipe until 0.2: with rollout.prompts=64 rollout.samples=2 this" in str(refused.value)


def test_with_the_sizes_that_the_note_names_it_goes_on(tmp_path: Path) -> None:
    words = [f"{key}={value}" for key, value in SETTINGS_UNTIL[FIRST].items()]
    check_same_settings(tmp_path, recorded_before(), settings(FIRST, *words), ())


def test_of_a_run_of_todays_recipe_nothing_of_the_kind_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        check_same_settings(tmp_path, settings(FIRST), settings(FIRST, "rollout.prompts=32"), ())
    assert "another recipe" not in str(refused.value)
