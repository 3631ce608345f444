"""`tvo` names another recipe since 0.2: what was recorded under the name goes on by its new one, and is not mixed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvo_cli import config
from tvo_cli.config.renamed_recipes import EARLIER, EarlierRecipe, note_on_renamed_recipe
from tvo_cli.errors import UserError
from tvo_cli.training.resume.recorded_settings import resume_settings
from tvo_cli.training.resume.resume_compatibility import check_same_settings, differing_settings

NAME = "tvo"
RECIPES = pytest.mark.parametrize("recipe", EARLIER[NAME], ids=lambda one: one.now)


def settings(recipe: str, *words: str) -> dict[str, object]:
    """The settings of a run that is about to begin, its precision settled."""
    return resume_settings(config.compose([f"algorithm={recipe}", "trainer.precision=float32", *words]))


def recorded_before(recipe: EarlierRecipe) -> dict[str, object]:
    """The settings of a run by the name that its recipe has lost."""
    return settings(recipe.now) | {"algorithm.name": NAME}


@RECIPES
def test_the_two_recipes_differ_in_what_the_note_goes_by(recipe: EarlierRecipe) -> None:
    before, differing = recorded_before(recipe), differing_settings(recorded_before(recipe), settings(NAME))
    assert note_on_renamed_recipe(before, differing) and recipe.recorded.keys() <= set(differing)
    for group in recipe.others:
        assert any(f"{key}.".startswith(f"{group}.") for key in differing), "no key without a difference"


@RECIPES
def test_under_the_new_name_it_goes_on_where_that_is_allowed(tmp_path: Path, recipe: EarlierRecipe) -> None:
    with pytest.raises(UserError, match=r"resume.allow=\[algorithm.name\]"):
        check_same_settings(tmp_path, recorded_before(recipe), settings(recipe.now), ())
    check_same_settings(tmp_path, recorded_before(recipe), settings(recipe.now), ("algorithm.name",))


@RECIPES
def test_with_another_setting_besides_it_does_not(tmp_path: Path, recipe: EarlierRecipe) -> None:
    wanted = settings(NAME, "optimizer.lr=3e-3")
    with pytest.raises(UserError) as refused:
        check_same_settings(tmp_path, recorded_before(recipe), wanted, ())
    assert "holds a run with other settings" in str(refused.value) and "another recipe" not in str(refused.value)


@RECIPES
def test_under_its_first_name_it_is_refused_and_the_new_one_told(tmp_path: Path, recipe: EarlierRecipe) -> None:
    with pytest.raises(UserError) as refused:
        check_same_settings(tmp_path, recorded_before(recipe), settings(NAME), ())
    told = f"{NAME} was another recipe until 0.2: with algorithm={recipe.now} algorithm.name={NAME} this goes on."
    assert told in str(refused.value)


@RECIPES
def test_with_the_words_of_the_note_it_goes_on(tmp_path: Path, recipe: EarlierRecipe) -> None:
    check_same_settings(tmp_path, recorded_before(recipe), settings(recipe.now, f"algorithm.name={NAME}"), ())


def test_of_a_run_of_todays_recipe_nothing_of_the_kind_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        check_same_settings(tmp_path, settings(NAME), settings(NAME, "rollout.prompts=32"), ())
    assert "another recipe" not in str(refused.value)


OF_EARLIER = [("algorithm.step_rule.schedule.end=0.25",), ("rollout.prompts=64", "rollout.samples=2")]


@pytest.mark.parametrize("words", OF_EARLIER)
def test_todays_recipe_with_a_value_of_an_earlier_one_is_not_taken_for_it(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    """With the words of the note it would not go on: the bound of the viscosity is today's."""
    with pytest.raises(UserError) as refused:
        check_same_settings(tmp_path, settings(NAME, *words), settings(NAME), ())
    assert "another recipe" not in str(refused.value)
