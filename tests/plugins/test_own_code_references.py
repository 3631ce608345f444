"""What a config names of own code is found by reading its tree: each place, each name, each source once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvo_cli.config.own_code_record import referenced_code_fingerprints
from tvo_cli.errors import UserError
from tvo_cli.plugins.own_code_references import own_code_references, source_of_reference, target_leads_into_plugin

TREE = {
    "plugins": ["./mine.py", "my_package.sub"],
    "reward": {"functions": [{"call": "words.py:brevity", "weight": 1.0}, {"call": "my_package.rewards:f"}]},
    "dataset": {"scorer": "", "suffix": "call: a:b"},
    "evaluation": {"suites": {"own": {"dataset": {"scorer": "words.py:judge"}}}},
    "algorithm": {
        "estimator": {"_target_": "tvo_cli.advantage.GroupCentred"},
        "objective": {"weight": {"_target_": "./mine.py:weight"}, "surrogate": {"_target_": "my_package.maths.gain"}},
    },
    "optimizer": {"make": {"_target_": "my_package_of_others.Adam"}},
}


def test_every_place_that_names_own_code_is_found_and_nothing_else() -> None:
    assert {(one.key, one.name) for one in own_code_references(TREE)} == {
        ("plugins.0", "./mine.py"),
        ("plugins.1", "my_package.sub"),
        ("reward.functions.0.call", "words.py:brevity"),
        ("reward.functions.1.call", "my_package.rewards:f"),
        ("evaluation.suites.own.dataset.scorer", "words.py:judge"),
        ("algorithm.objective.weight._target_", "./mine.py:weight"),
        ("algorithm.objective.surrogate._target_", "my_package.maths.gain"),
    }


def test_keys_that_are_handed_on_to_own_code_name_none() -> None:
    handed = {"scorer": "judge:v2", "options": {"call": "http://host:80/x", "dataset": {"scorer": "a:b"}}}
    tree = {
        "reward": {"functions": [{"call": "words.py:f", **handed}], "scorer": "words.py:judge"},
        "dataset": {
            "make": {"_target_": "tvo_cli.x", **handed},
            "sources": {"a": {"scorer": "words.py:a", "make": handed}, "b": {"scorer": "reasoning_gym:chain_sum"}},
        },
        "evaluation": {
            "test_sets": {"t": {"dataset": {"scorer": "words.py:t", "sources": {"u": {"scorer": "u.py:u"}}}}}
        },
        "stability": {"rules": {"mine": handed}},
    }
    assert [one.key for one in own_code_references(tree)] == [
        "reward.functions.0.call",
        "reward.scorer",
        "dataset.sources.a.scorer",
        "evaluation.test_sets.t.dataset.scorer",
        "evaluation.test_sets.t.dataset.sources.u.scorer",
    ]


def test_a_file_counts_as_it_is_written_and_a_package_whole() -> None:
    assert [source_of_reference(name) for name in ("./a/mine.py:f", "pack.deep:f", "pack")] == [
        "./a/mine.py",
        "pack",
        "pack",
    ]


@pytest.mark.parametrize("plugin", ["mine.py", "./mine.py", "ABSOLUTE"])
def test_a_file_is_one_plugin_however_its_path_is_written(plugin: str) -> None:
    plugin = plugin.replace("ABSOLUTE", str(Path("mine.py").absolute()))
    for target in ("mine.py:f", "./mine.py:f", f"{Path.cwd()}/mine.py:f"):
        assert target_leads_into_plugin(target, plugin)
    assert target_leads_into_plugin("../a/mine.py:f", "../a/mine.py") and not target_leads_into_plugin(
        "a/../mine.py:f", plugin
    )
    assert not target_leads_into_plugin("a/mine.py:f", plugin) and not target_leads_into_plugin("mine:f", plugin)


def test_each_source_has_one_fingerprint_and_a_missing_one_names_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("words.py").write_text("def brevity(): ...\n")
    calls = [{"call": "words.py:brevity"}, {"call": "words.py:other"}, {"call": "math:sqrt"}]
    found = referenced_code_fingerprints({"reward": {"functions": calls}})
    assert set(found) == {"words.py", "math"} and found["math"] == "built-in" and len(found["words.py"]) == 64
    with pytest.raises(UserError, match=r"^reward\.functions\.0\.call=nowhere\.py: there is no such file"):
        referenced_code_fingerprints({"reward": {"functions": [{"call": "nowhere.py:f"}]}})
