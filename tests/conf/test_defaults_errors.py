"""A defaults list of the user's that cannot be composed is named by file and line, with the entry as it must be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvo_cli import config
from tvo_cli.config.defaults_errors import check_defaults_list
from tvo_cli.errors import UserError

slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("/algorithm: grpo", r"line 4: chooses algorithm=grpo where another.*Write: override /algorithm: grpo$"),
        pytest.param("algorithm: grpo", r"line 4: .* inside of .*Write: override /algorithm: grpo$", marks=slow),
        pytest.param(
            "override algorithm: grpo", r"line 4: algorithm: grpo is looked .*: override /algorithm: grpo$", marks=slow
        ),
        pytest.param(
            "override /algoritm: grpo", r"line 4: algoritm: grpo is of no group\. Nearest: algorithm\.$", marks=slow
        ),
    ],
)
def test_an_entry_of_an_experiment_is_named_with_its_right_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, said: str
) -> None:
    place = tmp_path / "conf" / "experiment" / "mine.yaml"
    place.parent.mkdir(parents=True)
    place.write_text(f"# @package _global_\n# algorithm: mine\ndefaults:\n  - {entry}\n  - _self_\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=rf"^defaults=conf/experiment/mine\.yaml, {said}"):
        config.compose(["output_dir=x", "experiment=mine"])


@pytest.mark.parametrize(
    ("defaults", "said"),
    [
        ("[override /recorder: off]", r"line 1: the choice of recorder is the value False, .* in quotes: \"off\"\.$"),
        ("{algorithm: tvo}", r"line 1: is no list\."),
        ("", r"line 1: is no list\."),
        ("[5]", r"line 1: 5 is no entry\."),
        ("[{/algorithm: tvo, /recorder: full}]", r"line 1: .* is no entry\. A line for each"),
    ],
)
def test_a_list_that_hydra_cannot_read_is_refused(tmp_path: Path, defaults: str, said: str) -> None:
    place = tmp_path / "mine.yaml"
    place.write_text(f"defaults: {defaults}\n")
    with pytest.raises(UserError, match=said):
        check_defaults_list(place)
    place.write_text('defaults: [grpo, override /recorder: "off", optional /logger: null, _self_]\n')
    check_defaults_list(place)


def test_a_choice_that_yaml_takes_for_a_value_ends_in_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "conf" / "experiment" / "mine.yaml"
    place.parent.mkdir(parents=True)
    place.write_text("# @package _global_\ndefaults: [override /recorder: off]\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^defaults=conf/experiment/mine\.yaml, line 2: the choice of recorder is"):
        config.compose(["output_dir=x", "experiment=mine"])


@slow
def test_the_right_form_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "conf" / "experiment" / "mine.yaml"
    place.parent.mkdir(parents=True)
    place.write_text("# @package _global_\ndefaults: [override /algorithm: grpo, _self_]\n")
    monkeypatch.chdir(tmp_path)
    assert config.compose(["output_dir=x", "experiment=mine"]).algorithm.name == "grpo"
