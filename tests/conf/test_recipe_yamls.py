"""A recipe read from its yamls is what Hydra makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose
from omegaconf import OmegaConf

from tvo_cli import config
from tvo_cli.config.composing import _initialised_hydra
from tvo_cli.config.recipe_yamls import MISSING, RecipeYamls, flat_keys, value_at
from tvo_cli.config.search_path import ConfigFolder

RECIPES = config.choices_of_group("algorithm")
FAST = {"tvo", "hapo", "canon_dynamic", "spear"}


def ours() -> RecipeYamls:
    return RecipeYamls([ConfigFolder(config.conf_dir(), "tvo")])


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in RECIPES])
def test_a_recipe_is_what_hydra_makes_of_it(name: str) -> None:
    with _initialised_hydra(config.conf_dir()):
        made = OmegaConf.to_container(compose(overrides=[f"+algorithm={name}"]), resolve=False)
    assert ours().composed(name) == made


def test_the_yamls_are_in_the_order_in_which_they_are_joined(tmp_path: Path) -> None:
    (tmp_path / "algorithm").mkdir()
    texts = {"a": "defaults: [_self_, b, {/algorithm: c}, {/reward: math}]", "b": "defaults: [c]", "c": "x: 1"}
    for name, text in texts.items():
        (tmp_path / "algorithm" / f"{name}.yaml").write_text(text)
    assert RecipeYamls([ConfigFolder(tmp_path, "mine")]).files("a") == ["a", "c", "b", "c"]


def test_a_recipe_that_names_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "algorithm").mkdir()
    (tmp_path / "algorithm" / "a.yaml").write_text("defaults: [a, _self_]")
    assert RecipeYamls([ConfigFolder(tmp_path, "mine")]).files("a") == ["a", "a"]


def test_own_keys_are_what_differs_from_grpo() -> None:
    recipes = ours()
    assert recipes.own_keys("grpo") == {}
    assert recipes.own_keys("cispo") == {
        "algorithm.directions.cispo": "raises entropy",
        "algorithm.objective.surrogate._target_": "tvo_cli.methods.cispo.cispo",
        "algorithm.objective.surrogate.low": float("inf"),
        "algorithm.objective.reduce._target_": "tvo_cli.objective.reduction.token_mean",
        "rollout.minibatches": 4,
    }


def test_passes_left_to_the_rollout_are_a_recipes_own() -> None:
    own = ours().own_keys("tvo")
    assert own["rollout.epochs"] is MISSING and own["rollout.minibatches"] is MISSING


def test_a_part_is_not_whole() -> None:
    recipes = ours()
    assert recipes.is_whole("grpo") and recipes.is_whole("tvo")
    assert not any(recipes.is_whole(name) for name in ("_tip", "_base", "_group", "_clip", "not_there"))


def test_a_key_below_null_is_null() -> None:
    tree = {"critic": None, "a": {"b": 1}}
    assert value_at(tree, "critic.lr") is None and value_at(tree, "a.c") is MISSING and value_at(tree, "a.b") == 1
    assert flat_keys(tree) == {"critic": None, "a.b": 1}
