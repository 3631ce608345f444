"""`tvo new` writes where its files are read, and not into the package's own conf/."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvo_cli import config
from tvo_cli.cli.main import main


def test_in_a_clone_files_go_to_a_folder_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "conf").symlink_to(config.conf_dir())
    monkeypatch.chdir(tmp_path)
    assert main(["new", "reward", "brevity_of_mine"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "conf/ here is tvo's own, so your files go to own/; --dir writes elsewhere"
    assert "next  cd own" in said
    assert not (config.conf_dir() / "reward" / "brevity_of_mine.yaml").exists()
    assert (tmp_path / "own" / "conf" / "reward" / "brevity_of_mine.yaml").is_file()
    assert (tmp_path / "own" / "brevity_of_mine.py").is_file()


def test_elsewhere_they_go_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "reward", "brevity_of_mine"]) == 0
    assert (tmp_path / "conf" / "reward" / "brevity_of_mine.yaml").is_file() and not (tmp_path / "own").exists()
