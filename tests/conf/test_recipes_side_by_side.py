"""Two whole recipes in one defaults list hold both methods, or are refused with what is gone."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hydra import compose
from omegaconf import OmegaConf

from tvo_cli import config
from tvo_cli.config.composing import _initialised_hydra
from tvo_cli.config.recipe_yamls import RecipeYamls
from tvo_cli.config.recipes_side_by_side import (
    TakenKey,
    check_recipes_side_by_side,
    leftover_keys,
    list_with_part,
    refusal,
    taken_keys,
)
from tvo_cli.config.search_path import ConfigFolder
from tvo_cli.config.target_signatures import callable_keywords
from tvo_cli.errors import UserError

RECIPES = RecipeYamls([ConfigFolder(config.conf_dir(), "tvo")])
NAMES = config.choices_of_group("algorithm")
HERE = "algorithm.objective.surrogate._target_"
LOST = [  # what is gone without a word, or was refused as "two methods fill this piece": the pair, the key, the list
    ("cispo", "progrpo", HERE, "[cispo, _progrpo, _self_]"),
    ("cispo", "tw_grpo", HERE, "[cispo, _tw_grpo, _self_]"),
    ("kl_cov", "progrpo", HERE, "[kl_cov, _progrpo, _self_]"),
    ("reinforce", "progrpo", HERE, "[reinforce, _progrpo, _self_]"),
    ("dr_grpo", "progrpo", "algorithm.estimator._target_", "[dr_grpo, _progrpo, _self_]"),
    ("llds", "tip", "rollout.minibatches", "[llds, _tip, _self_]"),
    ("dapo", "tip", HERE, "[dapo, _tip, _self_]"),
    ("dapo", "avspo", HERE, "[dapo, _avspo, _self_]"),
    ("progrpo", "canon", "algorithm.estimator.epsilon", "[canon, _progrpo, _self_]"),
    ("bupo", "pear", HERE, "[bupo, _pear, _self_]"),
    ("canon", "pear", "algorithm.estimator._target_", "[canon, _pear, _self_]"),
    ("bupo", "canon", HERE, "[bupo, _no_estimator, _canon, _self_]"),
    ("clip_b", "tvo", "rollout.epochs", "[tvo, _clip_b, _self_]"),
    ("avspo", "canon", "algorithm.estimator._target_", ""),
    ("cispo", "gspo", HERE, ""),
]


@cache
def text_of(name: str) -> bytes:
    tree: Any = OmegaConf.to_container(OmegaConf.load(config.choice_path("algorithm", name, config.conf_dir())))
    return pickle.dumps({key: value for key, value in tree.items() if key != "defaults"})


def joined(*names: str) -> dict[str, Any]:
    """A defaults list as Hydra joins it: a file that is read twice has, the second time, what was joined into it."""
    files = [file for name in names if name != "_self_" for file in RECIPES.files(name)]
    read = {file: pickle.loads(text_of(file)) for file in files}
    tree: dict[str, Any] = {}
    for file in files:
        join(tree, read[file])
    return tree


def join(tree: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            join(tree[key], value)
        elif value != "???" or key not in tree:
            tree[key] = value


def pieces(tree: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every node of a tree that names something to build."""
    if isinstance(tree, dict):
        if "_target_" in tree:
            yield path, tree
        for name, value in tree.items():
            yield from pieces(value, f"{path}.{name}")


def faults(*names: str) -> list[TakenKey]:
    tree = joined(*names)
    return [*taken_keys(tree, names, RECIPES), *leftover_keys(tree, names, RECIPES)]


def methods_of(name: str) -> dict[str, Any]:
    """What makes a recipe that method: its pieces and passes where they are not GRPO's."""
    tree, plain = RECIPES.composed(name), RECIPES.composed("grpo")
    common = {path: piece["_target_"] for path, piece in pieces(plain)}
    own = {path: piece["_target_"] for path, piece in pieces(tree) if common.get(path) != piece["_target_"]}
    return own | {key: value for key, value in passes_of(tree).items() if value != 1}  # GRPO: one update a batch


def passes_of(tree: Any) -> dict[str, int | None]:
    """Passes and minibatches; None: those of the rollout's yaml."""
    return {key: tree.get("rollout", {}).get(key) for key in ("epochs", "minibatches")}


def assert_holds(tree: dict[str, Any], name: str) -> None:
    found = {path: piece["_target_"] for path, piece in pieces(tree)} | passes_of(tree)
    assert methods_of(name).items() <= found.items()


def assert_every_keyword_is_taken(tree: dict[str, Any]) -> None:
    for path, piece in pieces(tree):
        assert set(piece) - {"_target_", "_partial_"} <= set(callable_keywords(piece["_target_"]) or ()), path


def check_pair(one: str, other: str) -> None:
    tree = joined(one, other)
    if not (found := faults(one, other)):
        for name, over in ((one, other), (other, one)):
            if name not in RECIPES.files(over):  # what stands on it may change it
                assert_holds(tree, name)
        assert_every_keyword_is_taken(tree)
        return
    _, value, loser, winner = found[0]
    flat = {name: dict(leaves(RECIPES.composed(name))) for name in (one, other)}
    key, said = found[0].key, str(refusal(found[0], "x", RECIPES))
    assert {loser, winner} == {one, other} and said.startswith(f"{key}={value}: x starts from {loser} and {winner}, ")
    assert dict(leaves(tree))[key] == value != flat[loser].get(key)
    assert value in [dict(leaves(RECIPES.stated(file))).get(key) for file in RECIPES.files(winner)]
    if written := list_with_part(loser, winner, RECIPES):
        assert f"Write defaults: {written}" in said
        base, *_, part, _ = written.strip("[]").split(", ")
        both = joined(*written.strip("[]").split(", "))
        assert {base, part} <= {one, other, f"_{one}", f"_{other}", *(f"_{n[5:]}" for n in (one, other))}
        assert_holds(both, base)
        assert dict(leaves(RECIPES.composed(part))).items() <= dict(leaves(both)).items()
        assert_every_keyword_is_taken(both)


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def test_every_pair_of_methods_with_a_part_holds_both_or_is_refused_with_what_is_gone() -> None:
    methods = [name for name in NAMES if RECIPES.has(f"_{name}") or name in {*sum((row[:2] for row in LOST), ())}]
    assert len(methods) > 30
    for one, other in permutations(methods, 2):
        check_pair(one, other)


@pytest.mark.slow
def test_every_pair_of_recipes_holds_both_or_is_refused_with_what_is_gone() -> None:
    for one, other in permutations(NAMES, 2):
        check_pair(one, other)


PAIRS = [("cispo", "progrpo"), ("tip", "dapo"), ("dapo", "tip"), ("avspo", "tvo"), ("aepo_agentic", "ettrl")]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_recipes_are_joined_here_as_hydra_joins_them(one: str, other: str, tmp_path: Path) -> None:
    (tmp_path / "algorithm").symlink_to(config.conf_dir() / "algorithm")
    (tmp_path / "both.yaml").write_text(f"defaults: [algorithm/{one}, algorithm/{other}]")
    with _initialised_hydra(tmp_path):
        assert OmegaConf.to_container(compose("both"), resolve=False) == joined(one, other)


@pytest.mark.parametrize(("one", "other", "key", "written"), LOST)
def test_what_was_lost_is_refused_and_a_list_that_holds_both_is_named(
    one: str, other: str, key: str, written: str
) -> None:
    found = faults(one, other)[0]
    assert found.key == key and list_with_part(found.loser, found.winner, RECIPES) == written


def test_two_that_keep_what_is_theirs_are_accepted_in_the_order_in_which_they_do() -> None:
    assert not faults("tip", "dapo") and not faults("tip", "llds") and not faults("progrpo", "tw_grpo")


def test_a_recipe_that_stands_on_the_other_may_change_it() -> None:
    assert not faults("dapo", "ares") and not faults("grpo", "progrpo") and not faults("tvo_2025", "tvo_cosine")
    assert not faults("ares", "dapo") and faults("cispo", "grpo")[0].loser == "cispo"
    assert faults("kl_cov_early_stop", "kl_cov") == [TakenKey("rollout.epochs", 1, "kl_cov_early_stop", "kl_cov")]


def test_the_line_says_whose_value_replaces_what() -> None:
    assert str(refusal(faults("cispo", "progrpo")[0], "algorithm=both", RECIPES)) == (
        f"{HERE}=tvo_cli.maths.surrogates.clipped_surrogate: algorithm=both starts from cispo and progrpo, two whole "
        "recipes, and progrpo puts GRPO's in the place of cispo's tvo_cli.methods.cispo.cispo. "
        f"Write defaults: [cispo, _progrpo, _self_], or state {HERE} there as you mean it."
    )
    assert "and avspo leaves" not in (said := str(refusal(faults("avspo", "tvo")[0], "x", RECIPES)))
    assert "tvo puts its own in the place of avspo's tvo_cli.advantage.VirtualSamples. Start from one of them" in said
    assert "progrpo leaves GRPO's over in tvo_cli.advantage.ConditionalGroup. Write defaults: [canon, " in str(
        refusal(faults("progrpo", "canon")[0], "x", RECIPES)
    )


def users_yaml(folder: Path, name: str, text: str) -> None:
    (folder / "conf" / "algorithm").mkdir(parents=True, exist_ok=True)
    (folder / "conf" / "algorithm" / f"{name}.yaml").write_text(f"# @package _global_\n# Mine.\n{text}\n")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder whose ./conf is on the search path."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*words: str) -> None:
    check_recipes_side_by_side(config.compose([*words, "output_dir=x"]), words)


def test_a_users_recipe_of_one_base_is_never_refused(folder: Path) -> None:
    users_yaml(folder, "mine", "defaults: [cispo, _clip, _self_]\nalgorithm: {name: mine}")
    users_yaml(folder, "piece", "algorithm: {objective: {reduce: {_target_: tvo_cli.objective.reduction.token_mean}}}")
    users_yaml(folder, "other", "defaults: [mine, piece, _self_]\nalgorithm: {name: other}")
    check("algorithm=mine")
    check("algorithm=other")


def test_a_users_two_recipes_are_refused_from_below_and_named_by_the_command(folder: Path) -> None:
    users_yaml(folder, "mine", "defaults: [grpo, _self_]\nalgorithm: {name: mine}")
    users_yaml(folder, "both", "defaults: [cispo, mine, _self_]\nalgorithm: {name: both}")
    users_yaml(folder, "other", "defaults: [both, _viscous, _self_]\nalgorithm: {name: other}")
    with pytest.raises(UserError, match=r"algorithm=both starts from cispo and mine, .*Start from one of them"):
        config.compose(["algorithm=other"])
    with pytest.raises(UserError, match=r"algorithm=\[cispo,progrpo\] starts from cispo and progrpo"):
        config.compose(["algorithm=[cispo,progrpo]"])


def test_a_key_that_the_yaml_itself_or_the_command_states_is_meant(folder: Path) -> None:
    users_yaml(folder, "both", "defaults: [cispo, progrpo, _self_]\nalgorithm: {name: both}")
    with pytest.raises(UserError, match=HERE):
        config.compose(["algorithm=both"])
    stated = "objective: {surrogate: {_target_: tvo_cli.maths.surrogates.clipped_surrogate, low: 0.2}}"
    users_yaml(folder, "both", f"defaults: [cispo, progrpo, _self_]\nalgorithm: {{name: both, {stated}}}")
    with pytest.raises(UserError, match=r"^rollout\.minibatches=1: "):
        config.compose(["algorithm=both"])
    check("algorithm=both", "rollout.minibatches=1")
