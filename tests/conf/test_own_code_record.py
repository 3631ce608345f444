"""A composed config records the sha256 of the own code that it names; nobody else writes there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from omegaconf import DictConfig

from tvo_cli import config, redaction
from tvo_cli.errors import UserError
from tvo_cli.tracking.own_code_copies import copy_own_code, folder_of_own_code
from tvo_cli.training.resume import resume_compatibility
from tvo_cli.training.resume.recorded_settings import resume_settings


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "token_words.py").write_text("import beside\n")
    (tmp_path / "beside.py").write_text("x = 1\n")
    return tmp_path / "token_words.py"


def composed() -> DictConfig:
    return config.compose(["plugins=[token_words.py]", "trainer.precision=float32", "output_dir=x"])


def test_the_fingerprint_of_own_code_stands_in_the_config_and_decides_the_jobs(mine: Path) -> None:
    before = composed()
    assert config.recorded_own_code(composed()) == config.recorded_own_code(before)
    assert list(config.recorded_own_code(before)) == ["token_words.py"]
    with (mine.parent / "beside.py").open("a") as file:
        file.write("y = 2\n")
    after = composed()
    assert config.recorded_own_code(after) != config.recorded_own_code(before)
    assert config.config_fingerprint(after) != config.config_fingerprint(before)
    told = redaction.redacted(config.resolved_tree(after))
    assert told["own_code"] == config.recorded_own_code(after), "a file may be called token"


def test_a_run_without_own_code_is_the_one_that_it_was() -> None:
    found = config.compose(["output_dir=x"])
    before = config.config_fingerprint(found)
    del found.plugins, found.own_code
    assert config.config_fingerprint(found) == before


def test_a_user_does_not_write_there(mine: Path) -> None:
    with pytest.raises(UserError, match=r"is filled by the program\. Leave it out\."):
        config.compose(["+own_code.mine=abc", "output_dir=x"])


@pytest.mark.slow
def test_a_run_goes_on_with_the_same_code_only(mine: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    flat = resume_settings
    before, sha256 = flat(composed()), composed().own_code["token_words.py"]
    copy_own_code(run, composed())
    mine.write_text("import beside  # changed\n")
    with pytest.raises(UserError, match=r"^own_code=token_words.py: has changed since the run") as error:
        resume_compatibility.check_same_settings(run, before, flat(composed()), ())
    kept = folder_of_own_code(run, "token_words.py", sha256)
    assert str(kept) in str(error.value) and (kept / "token_words.py").read_text() == "import beside\n"
    assert (kept / "beside.py").is_file()
    shutil.rmtree(kept)
    with pytest.raises(UserError, match=r"Put back what ran, name another output_dir"):
        resume_compatibility.check_same_settings(run, before, flat(composed()), ())
    for allowed in ("own_code", "own_code.token_words.py"):
        resume_compatibility.check_same_settings(run, before, flat(composed()), (allowed,))


def test_a_file_that_changes_while_a_run_starts_is_said(mine: Path, tmp_path: Path) -> None:
    found = composed()
    mine.write_text("import beside  # changed\n")
    with pytest.raises(UserError, match="has changed while the run was starting"):
        copy_own_code(tmp_path / "run", found)
