"""A command that Ctrl-C ends says so, once, whatever it was doing."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from tvo_cli.cli import train
from tvo_cli.cli.launch import overrides_of_launch
from tvo_cli.cli.main import main
from tvo_cli.errors import UserError


def interrupt(*given: Any, **named: Any) -> None:
    raise KeyboardInterrupt


def test_an_interrupted_command_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tvo_cli.report.run_listing.list_runs", interrupt)
    assert main(["ls", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "tvo: interrupted\n"


@pytest.mark.slow
def test_an_interrupted_run_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train, "_run_training", interrupt)
    assert main(["train", "logger=none", f"output_dir={tmp_path / 'run'}"]) == 130
    assert capsys.readouterr().err.count("tvo: interrupted\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_command_that_is_interrupted_while_it_is_imported_shows_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupting:
        def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
            if name == "tvo_cli.cli.main":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "tvo_cli.cli.main")
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    with pytest.raises(SystemExit) as left:
        runpy.run_module("tvo_cli", run_name="__main__")
    assert left.value.code == 130 and capsys.readouterr().err == "tvo: interrupted\n"


@pytest.mark.parametrize("word", ["output_dir=", "output_dir=''"])
def test_an_empty_folder_is_refused_and_not_the_working_folder(word: str) -> None:
    with pytest.raises(UserError, match=r"^output_dir=: names no folder"):
        overrides_of_launch([word, "seed=1"])
    assert overrides_of_launch(["output_dir=.", "seed=1"]) == ["output_dir=.", "seed=1"]
