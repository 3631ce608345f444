"""Plugins: by key, variable and entry point; what they register; what a `_target_` may name, and what it may not."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import yaml

import tvo_cli as tvo
from tvo_cli import config
from tvo_cli.config.groups import conf_dir
from tvo_cli.errors import UserError
from tvo_cli.plugins import own_targets, plugin_loading, registry
from tvo_cli.plugins.register import PIECES

MINE = """
import os
from os import system
import tvo_cli as tvo

@tvo.register.algorithm("soft", piece="weight", start="grpo")
def soft(tokens, *, floor: float = 0.25):
    '''Tokens of low probability learn less.'''
    return floor + (1 - floor) * tokens.logp.detach().exp()

@tvo.register.collapse_rule("quiet")
class Quiet:
    '''Never fires.'''
    def __init__(self, severity: str = "warning"): ...

class Inner:
    def _private(self): ...
"""
PIECES_OF_OTHER_KEYS = """
@tvo.register.estimator("halved")  # grpo's has the key epsilon
class Halved:
    def __init__(self, share: float = 0.5): ...

@tvo.register.step_rule("braked", start="tvo")
class Braked:
    def __init__(self, growth: float = 1.1): ...
"""
slow = pytest.mark.slow
WEIGHT = "algorithm.objective.weight"
CHOSEN = ["output_dir=x", "logger=none"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TVO_PLUGINS", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(own_targets, "_allowed", [])
    monkeypatch.setattr(plugin_loading, "_loaded", {})
    (tmp_path / "mine.py").write_text(MINE)
    yield tmp_path


def test_what_a_plugin_registers_is_a_choice_with_its_keywords_as_keys(here: Path) -> None:
    found = config.compose([*CHOSEN, "plugins=[mine.py]", "algorithm=soft", f"{WEIGHT}.floor=0.5"])
    assert found.algorithm.name == "soft" and found.algorithm.objective.weight._target_ == "mine.py:soft"
    made = config.build(found.algorithm.objective.weight)
    assert made.keywords == {"floor": 0.5}
    with config.plugins_in_effect(["plugins=mine.py"], "train"):
        assert config.origin_of_choice("algorithm", "soft") == "plugin mine.py"
        assert config.parse_choice_comment(config.choice_comment("algorithm", "soft")).changes == "grpo at: weight"
    assert config.origin_of_choice("algorithm", "soft") == "", "no longer in effect"


def test_a_registered_piece_takes_the_place_of_the_starts_with_all_its_keys(here: Path) -> None:
    (here / "mine.py").write_text(MINE + PIECES_OF_OTHER_KEYS)
    with config.plugins_in_effect(["plugins=mine.py"], "train"):
        halved = config.compose([*CHOSEN, "plugins=[mine.py]", "algorithm=halved"]).algorithm
        braked = config.compose([*CHOSEN, "plugins=[mine.py]", "algorithm=braked"]).algorithm
    assert dict(halved.estimator) == {"_target_": "mine.py:Halved", "share": 0.5}
    assert dict(braked.step_rule) == {"_target_": "mine.py:Braked", "growth": 1.1}


def test_every_piece_can_be_taken_away() -> None:
    assert {f"_no_{name}" for name in PIECES} == {one.stem for one in (conf_dir() / "algorithm").glob("_no_*.yaml")}
    for name, (path, _) in PIECES.items():
        node = yaml.safe_load((conf_dir() / "algorithm" / f"_no_{name}.yaml").read_text())
        for key in path[:-1]:
            node = node[key]
        assert node == {path[-1]: None}


@slow
def test_a_variable_and_a_key_add_up_and_the_config_has_both(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "other.py").write_text("x = 1\n")
    monkeypatch.setenv("TVO_PLUGINS", "mine.py")
    found = config.compose([*CHOSEN, "plugins=[other.py]", "algorithm=soft"])
    assert list(found.plugins) == ["other.py", "mine.py"] and set(found.own_code) == {"other.py", "mine.py"}
    monkeypatch.setenv("TVO_PLUGINS", "mine.py,./other.py:mine.py")
    assert [one.name for one in config.all_plugins()] == ["mine.py", "./other.py"]


@slow
def test_yamls_of_several_groups_name_their_plugins_and_none_is_lost(here: Path) -> None:
    (here / "other.py").write_text("def rows(split, *, count: int = 3): ...\n")
    algorithm, dataset = here / "conf" / "algorithm" / "mine.yaml", here / "conf" / "dataset" / "mine.yaml"
    for path in (algorithm, dataset):
        path.parent.mkdir(parents=True)
    algorithm.write_text("# @package _global_\n# Mine.\ndefaults: [grpo, _self_]\nplugins: [mine.py]\n")
    dataset.write_text(
        "# @package _global_\n# Mine.\nplugins: [other.py]\n"
        "dataset: {name: mine, kind: own, make: {_target_: 'other.py:rows'}, max_tokens: 8, profile: math,"
        " suffix: ''}\n"
    )
    found = config.compose([*CHOSEN, "algorithm=mine", "dataset=mine"])
    assert set(found.plugins) == {"mine.py", "other.py"} == set(found.own_code)


@slow
def test_a_package_ships_configs_and_an_entry_point_is_recorded_where_it_is_used(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = here / "my_tvo_package"
    (package / "conf" / "algorithm").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "maths.py").write_text("def flat(tokens, *, level: float):\n    return tokens.logp * 0 + level\n")
    text = "# @package _global_\n# Flat.\ndefaults: [grpo, _self_]\n{}"
    node = "algorithm: {objective: {weight: {_target_: my_tvo_package.maths.flat, _partial_: true, level: 2.0}}}"
    (package / "conf" / "algorithm" / "flat.yaml").write_text(text.format(node))
    point = EntryPoint("any", "my_tvo_package", plugin_loading.ENTRY_POINTS)
    monkeypatch.setattr(metadata, "entry_points", lambda group: [point])
    plugin_loading.plugins_of_entry_points.cache_clear()
    try:
        found = config.compose([*CHOSEN, "algorithm=flat"])
        assert list(found.plugins) == ["my_tvo_package"] and config.build(found.algorithm.objective.weight)
        assert not config.compose([*CHOSEN, "algorithm=grpo"]).plugins, "installed, and not used"
    finally:
        plugin_loading.plugins_of_entry_points.cache_clear()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("os:system", "is own code of no plugin"),
        pytest.param("os.system", "refused before anything was built", marks=slow),
        ("other.py:f", "is own code of no plugin, refused before anything was built. Name it: plugins=[other.py]"),
        pytest.param("mine.py:os.system", "cannot be found", marks=slow),
        pytest.param("mine.py:system", "cannot be found", marks=slow),
        pytest.param("mine.py:Inner._private", "is private", marks=slow),
        pytest.param("mine.py:__builtins__", "is private", marks=slow),
        pytest.param("mine.py:", "names nothing", marks=slow),
        pytest.param("mine.py:sof", "cannot be found. Nearest: soft", marks=slow),
        pytest.param("./mine/../mine.py:soft", "is own code of no plugin", marks=slow),
    ],
)
def test_a_target_names_what_a_named_plugin_defines_and_nothing_else(here: Path, target: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        config.compose([*CHOSEN, "plugins=[mine.py]", "algorithm=grpo", f"{WEIGHT}._target_='{target}'"])
    assert said in str(error.value)


@pytest.mark.parametrize("name", ["system", "os.system", "tvo.register.algorithm"])
def test_what_a_plugin_has_from_elsewhere_is_not_built_either(here: Path, name: str) -> None:
    own_targets.allow_plugins(["mine.py"])
    with pytest.raises(UserError, match="has it from elsewhere"):
        config.build({"_target_": f"mine.py:{name}", "_args_": ["touch broken"]})
    assert not (here / "broken").exists()


@slow
def test_a_plugin_of_another_config_is_none_of_this_one(here: Path) -> None:
    config.compose([*CHOSEN, "plugins=[mine.py]", "algorithm=soft"])
    with pytest.raises(UserError, match="no plugin of this config"):
        config.compose([*CHOSEN, "algorithm=grpo", f"{WEIGHT}._target_=mine.py:soft"])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("os", "is no code of yours"),
        ("torch", "is no code of yours"),
        ("tvo_cli.plugins", "is no code of yours"),
        ("nowhere.py", "there is no such file"),
        ("no_such_package", "there is no such module"),
        ("mine.py:soft", "names a function. A plugin is a file or module: mine.py"),
        ("broken.py", "cannot be imported: ZeroDivisionError"),
        ("taken.py", "registers algorithm=grpo, which there is already"),
        ("twice.py", "registers algorithm=soft, as mine.py does"),
        ("imports.py", "imports beside_it, which registers algorithm=lost and is no plugin itself"),
    ],
)
def test_a_wrong_plugin_is_refused_before_anything_is_composed(here: Path, name: str, said: str) -> None:
    head = "import tvo_cli as tvo\n@tvo.register.algorithm('{}', piece='weight')\ndef f(tokens): ...\n"
    (here / "broken.py").write_text("1 / 0\n")
    (here / "taken.py").write_text(head.format("grpo"))
    (here / "twice.py").write_text(head.format("soft"))
    (here / "beside_it.py").write_text(head.format("lost"))
    (here / "imports.py").write_text("import beside_it\n")
    with pytest.raises(UserError) as error:
        config.compose([*CHOSEN, f"plugins=['mine.py','{name}']"])
    assert said in str(error.value)
    sys.modules.pop("beside_it", None)
    registry.forget_registrations("beside_it")


def test_outside_of_a_plugin_the_decorators_change_nothing() -> None:
    def f(tokens: object, *, a: float = 1.0) -> object:
        return tokens

    assert tvo.register.algorithm("unused", piece="weight")(f) is f
    with pytest.raises(UserError, match="is no piece of an algorithm"):
        tvo.register.algorithm("unused", piece="wieght")
    registry.forget_registrations(__name__)


@pytest.mark.parametrize("name", ["../../elsewhere", "a b", "", "a=b", "-m"])
def test_a_name_that_is_no_file_of_a_group_is_refused(here: Path, name: str) -> None:
    (here / "named.py").write_text(
        f"import tvo_cli as tvo\n@tvo.register.algorithm({name!r}, piece='weight')\ndef f(tokens): ...\n"
    )
    with pytest.raises(UserError, match=r"^register\.algorithm=.*is no name of a choice"):
        plugin_loading.load_plugin("plugins", "named.py")


def test_a_keyword_with_a_default_that_the_yaml_omits_is_added_with_a_plus(here: Path) -> None:
    omitted = "{_target_: 'mine.py:soft', _partial_: true}"
    path = here / "conf" / "algorithm" / "mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(
        f"# @package _global_\n# Mine.\ndefaults: [grpo, _self_]\nplugins: [mine.py]\n"
        f"algorithm:\n  objective:\n    weight: {omitted}\n"
    )
    with pytest.raises(UserError, match=rf"is not in this config yet. Add it: \+{WEIGHT}.floor=0.5"):
        config.compose([*CHOSEN, "algorithm=mine", f"{WEIGHT}.floor=0.5"])


@pytest.mark.parametrize(
    ("words", "said"),
    [(["plugins=[mine.py]"], r"The plugins \(mine.py\) register no such algorithm"), ([], r"plugins=\[FILE.py\]")],
)
def test_an_unknown_choice_says_where_own_code_is_named(here: Path, words: list[str], said: str) -> None:
    with pytest.raises(Exception) as caught:
        config.compose([*CHOSEN, *words, "algorithm=bold"])
    error = caught.value
    told = error if isinstance(error, UserError) else config.explain_hydra_error(error, words)
    assert re.search(said, str(told))
