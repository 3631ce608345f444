"""Checks before torch is loaded: what a run would refuse later is refused at once, in the same words."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from tvo_cli import config as configuration
from tvo_cli.errors import UserError
from tvo_cli.experiment import early_checks

ROW = json.dumps({"question": "1+1", "answer": "2", "solution": r"\boxed{2}"})
DATA, CUT = ["dataset=jsonl", "dataset.path=whole.jsonl"], "line 2 is not JSON"
TEST_SET, SOURCE = "evaluation.test_sets.other.dataset", "dataset.sources.easy"
LEARNT = "algorithm.next_token.data"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a whole file of problems, one that is cut off, and a folder without a model."""
    (tmp_path / "whole.jsonl").write_text(f"{ROW}\n")
    (tmp_path / "cut.jsonl").write_text(f"{ROW}\n{ROW[:-3]}\n")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal_of_training(*words: str) -> str:
    """What the early checks of a training run say."""
    with pytest.raises(UserError) as refused:
        early_checks.check_training_early(configuration.compose([*words, "output_dir=run"]))
    return str(refused.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rollout.minibatches=7"], "rollout.minibatches=7: does not divide"),
        (["model.path=./nope"], "model.path=./nope: no such folder"),
        (["model.path=empty"], "model.path=empty: the folder has no config.json"),
        (["dataset=jsonl"], "dataset.path=None: no file is named"),
        (["dataset=jsonl", "dataset.path=nope.jsonl"], "dataset.path=nope.jsonl: no such file"),
        (["dataset=jsonl", "dataset.path=cut.jsonl"], f"dataset.path=cut.jsonl: {CUT}"),
        ([*DATA, "dataset.test_path=cut.jsonl"], f"dataset.test_path=cut.jsonl: {CUT}"),
        ([f"+dataset@{TEST_SET}=jsonl", f"{TEST_SET}.path=cut.jsonl"], f"{TEST_SET}.path=cut.jsonl: {CUT}"),
        (["dataset=mixture", f"+dataset@{SOURCE}=jsonl", f"{SOURCE}.path=cut.jsonl"], f"{SOURCE}.path=cut.jsonl"),
        (
            ["algorithm=recap_next_token", f"+dataset@{LEARNT}=jsonl", f"{LEARNT}.path=nope.jsonl"],
            f"{LEARNT}=jsonl: has nothing to learn: no such file",
        ),
    ],
)
def test_a_training_run_is_refused(words: list[str], said: str) -> None:
    assert refusal_of_training(*words).startswith(said)


@pytest.mark.parametrize(
    "words", [[], DATA, [*DATA, "evaluation=off", "dataset.test_path=cut.jsonl"], ["model.path=owner/name"]]
)
def test_a_training_run_that_may_work_is_not_refused(words: list[str]) -> None:
    early_checks.check_training_early(configuration.compose([*words, "output_dir=run"]))


def test_a_long_file_is_read_when_it_is_needed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_checks, "QUICK", (folder / "cut.jsonl").stat().st_size - 1)
    words = ["dataset=jsonl", "dataset.path=cut.jsonl", "output_dir=run"]
    early_checks.check_training_early(configuration.compose(words))


def test_what_is_odd_about_a_file_is_said_once_and_not_here(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "odd.jsonl").write_text(f"{ROW}\n" + '{"question": "2+2", "answer": null}\n')
    words = ["dataset=jsonl", "dataset.path=odd.jsonl", "dataset.unanswered=skip", "output_dir=run"]
    with caplog.at_level(logging.INFO):
        early_checks.check_training_early(configuration.compose(words))
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model.path=./nope"], "model.path=./nope: no such folder"),
        (["evaluation=jsonl"], "path=None: no file is named"),
        (["evaluation=jsonl", "path=cut.jsonl"], f"path=cut.jsonl: {CUT}"),
    ],
)
def test_an_evaluation_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(UserError) as refused:
        early_checks.check_evaluation_early(configuration.compose([*words, "output_dir=run"], "eval"))
    assert str(refused.value).startswith(said)


def test_the_suite_that_is_filled_from_a_run_has_no_file_yet() -> None:
    early_checks.check_evaluation_early(configuration.compose(["evaluation=heldout", "output_dir=run"], "eval"))


def test_a_fine_tuning_is_refused_and_one_that_is_done_needs_its_file_no_more(folder: Path) -> None:
    config = configuration.compose(["dataset=jsonl", "dataset.path=gone.jsonl", "output_dir=run"], "sft")
    with pytest.raises(UserError, match=r"^dataset\.path=gone\.jsonl: no such file"):
        early_checks.check_sft_early(config)
    (folder / "run").mkdir()
    (folder / "run" / "sft.json").write_text("{}")
    early_checks.check_sft_early(config)


@pytest.mark.parametrize("key", ["batches", "true_batches"])
def test_a_measurement_of_one_batch_is_refused_by_its_key(key: str) -> None:
    with pytest.raises(UserError, match=rf"^{key}=1: one batch has no variance\. Take 2"):
        early_checks.check_variance_early(configuration.compose([f"{key}=1", "output_dir=run"], "variance"))
