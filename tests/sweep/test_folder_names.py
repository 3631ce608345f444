"""Where a sweep and its jobs lie: short, readable, the same for the same command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from hydra_plugins.tvo_launcher.folder import PinFolder
from hydra_plugins.tvo_launcher.process import _quoted
from tvo_cli.errors import UserError
from tvo_cli.sweep.folder_names import (
    LONGEST,
    NAMING,
    check_folder_is_named_once,
    job_folder_name,
    sweep_folder_name,
)


def test_a_job_has_a_short_folder_that_hydra_reads_without_quotes() -> None:
    words = ["algorithm=tvo", "seed=3", "optimizer.lr=1e-4", "+x.y='a b'", "dataset.path=../data/math train.jsonl"]
    name = job_folder_name([*words, "output_dir=/o", "logger=none", "logger.console=off"], 3)
    assert name == "tvo+s3+lr-1e-4+y-a_b+path-math_train.jsonl"
    [override] = OverridesParser.create().parse_overrides([f"model.path=outputs/{name}/policy"])
    assert override.value() == f"outputs/{name}/policy"
    assert job_folder_name(["output_dir=/o"], 3) == "job-3"


def test_what_is_the_same_in_all_jobs_is_not_in_a_name() -> None:
    assert job_folder_name(["model=tiny", "trainer.steps=9", "seed=1"], 0, ["model", "trainer.steps"]) == "s1"


def test_two_keys_that_end_alike_keep_their_beginnings() -> None:
    assert job_folder_name(["optimizer.lr=1", "algorithm.critic.lr=2"], 0) == "optimizer.lr-1+algorithm.critic.lr-2"


def test_long_names_stay_short_and_apart() -> None:
    long = [job_folder_name([f"a.b.c{i}={'x' * 10}" for i in range(30)] + [f"z={j}"], 0) for j in range(2)]
    assert all(len(name) <= LONGEST for name in long) and long[0] != long[1]


def test_the_sweep_goes_where_output_dir_says() -> None:
    assert sweep_folder_name(["output_dir='/a b'", "seed=1,2"], "train") == "/a b"


@pytest.mark.parametrize(
    ("value", "folder"),
    [
        ("a\\b", "a\\b"),
        ("a\\\\b", "a\\b"),
        ("a\\", "a\\"),
        ("a\\ b", "a b"),
        ("'a\\\\'", "a\\"),
        ("'it\\'s'", "it's"),
        ("1e-3", "1e-3"),
        ("7", "7"),
    ],
)
def test_the_folder_is_the_one_that_hydra_reads_and_a_number_stays_as_it_was_typed(value: str, folder: str) -> None:
    assert sweep_folder_name([f"output_dir={value}", "seed=1,2"], "train") == folder


@pytest.mark.parametrize("name", ["a\\b", "a\\", "it's", 'a "quoted\\" one', "plain"])
def test_jobs_find_the_pinned_folder_whatever_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    node = {"sweep": {"dir": name}, "sweeper": {"_target_": "x"}, "overrides": {"task": ["seed=1,2"], "hydra": []}}
    config = OmegaConf.create({"hydra": node | {"job": {"config": {"override_dirname": {"exclude_keys": []}}}}})
    PinFolder().on_multirun_start(config)
    pinned, _ = OverridesParser.create().parse_overrides(list(config.hydra.overrides.hydra))
    assert pinned.key_or_group == "hydra.sweep.dir" and pinned.value() == f"{tmp_path}/{name}"
    [place] = OverridesParser.create().parse_overrides([f"output_dir={_quoted(name)}"])
    assert place.value() == name


def test_the_same_command_finds_its_folder_again_and_so_does_one_with_more_values() -> None:
    words = ["algorithm=tvo,ppo", "seed=range(5)", "optimizer.lr=1e-4,3e-4", "trainer.steps=9"]
    place = sweep_folder_name(words, "train")
    assert place.startswith("outputs/train/algorithm+seed+lr-") and len(place.rpartition("-")[2]) == 6
    assert sweep_folder_name([words[3], *words[:3], "logger=none"], "train") == place, "the order or a logger"
    assert sweep_folder_name([*words[:1], "seed=range(10)", *words[2:]], "train") == place, "more seeds"
    assert sweep_folder_name([*words[:3], "trainer.steps=10"], "train") != place, "another setting"
    assert sweep_folder_name(words[:2] + words[3:], "train") != place, "another key swept"


def test_two_commands_and_a_sweep_of_the_config_itself_are_apart() -> None:
    def root(name: str, **params: str) -> object:
        return OmegaConf.create({"hydra": {"job": {"config_name": name}, "sweeper": {"params": params or None}}})

    words = ["seed=1,2"]
    places = {sweep_folder_name(words, "x", _root_=root("train")), sweep_folder_name(words, "x", _root_=root("eval"))}
    written = sweep_folder_name(words, "x", _root_=root("train", algorithm="tvo,ppo"))
    assert len(places) == 2 and written.startswith("outputs/x/seed+algorithm-")


def test_run_name_names_the_folder_of_a_sweep_unless_it_is_made_of_settings() -> None:
    def place(run_name: object, *more: str) -> str:
        root = OmegaConf.create({"run_name": run_name, "seed": 0, "experiment_name": "x"})
        return sweep_folder_name(["seed=1,2", f"run_name={run_name}", *more], "x", _root_=root)

    assert place("one") == "outputs/x/one" and place(7) == "outputs/x/7"
    assert place("one", "output_dir=there") == "there"
    assert place("tvo-s${seed}").startswith("outputs/x/seed-"), "conf/train.yaml's own"


@pytest.mark.parametrize("word", [*(f"{key}=a,b" for key in NAMING), "run_name=${algorithm.name}"])
def test_a_sweep_has_one_name(word: str) -> None:
    key, _, value = word.partition("=")
    with pytest.raises(UserError, match=rf"^{key}={re.escape(value)}: a sweep has one folder, .* {key}=NAME"):
        check_folder_is_named_once(["seed=1,2", word], multirun=True)
    for words in (["seed=1,2", f"{key}=a"], ["output_dir=${run_name}"]):
        check_folder_is_named_once(words, multirun=True)
    check_folder_is_named_once(["run_name=${algorithm.name}"], multirun=False)


@pytest.mark.parametrize(("multirun", "key"), [(True, "hydra.sweep.dir"), (False, "hydra.run.dir")])
def test_a_folder_that_hydra_would_pass_over_is_refused(multirun: bool, key: str) -> None:
    said = rf"^output_dir=a: {key}=b names another folder"
    with pytest.raises(UserError, match=said):
        check_folder_is_named_once(["output_dir=a", f"{key}=b"], multirun=multirun)
    for words in (["output_dir=a"], [f"{key}=b"], ["output_dir=a", f"{key}='a'"]):
        check_folder_is_named_once(words, multirun=multirun)
