"""A sweep of 0.1's `tvo` that is typed again: refused, not trained beside what is there under the same name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hydra_plugins.tvo_launcher.renamed_recipe_jobs import check_same_recipe
from tvo_cli import config
from tvo_cli.cli.main import main
from tvo_cli.errors import UserError
from tvo_cli.sweep.sweep_index import SweepIndex, SweepJob
from tvo_cli.training.resume.recorded_settings import RECORD, resume_settings

A, B = "a" * 64, "b" * 64
WORDS = ["algorithm=tvo", "seed=1"]


@pytest.fixture
def index(tmp_path: Path) -> SweepIndex:
    """A sweep of one job with a checkpoint, which trained under the recipe that `tvo` was in 0.1."""
    (tmp_path / "s1" / "checkpoints" / "step-000002").mkdir(parents=True)
    before = resume_settings(config.compose(["algorithm=tvo_2025", "seed=1"])) | {"algorithm.name": "tvo"}
    (tmp_path / "s1" / "checkpoints" / RECORD).write_text(json.dumps(before))
    found = SweepIndex(tmp_path)
    found.add(SweepJob(A, "s1", WORDS, "tvo train", state="finished"))
    return found


def test_the_same_overrides_with_other_settings_are_refused(index: SweepIndex) -> None:
    with pytest.raises(UserError) as refused:
        check_same_recipe(index, WORDS, B, config.compose(WORDS))
    told = str(refused.value)
    assert "s1: holds a job of the same overrides" in told and "(recorded: None)" in told
    assert f"algorithm.name=tvo output_dir={index.folder} this goes on. Or name another folder" in told


def test_the_same_settings_other_overrides_and_resume_never_are_not(index: SweepIndex) -> None:
    check_same_recipe(index, WORDS, A, config.compose(WORDS))
    check_same_recipe(index, [*WORDS, "optimizer.lr=3e-3"], B, config.compose(WORDS))
    check_same_recipe(index, WORDS, B, config.compose([*WORDS, "resume=never"]))


def test_a_job_without_a_checkpoint_has_nothing_to_be_mixed_with(index: SweepIndex) -> None:
    (index.folder / "s1" / "checkpoints" / "step-000002").rmdir()
    check_same_recipe(index, WORDS, B, config.compose(WORDS))


def test_what_changed_by_a_users_own_yaml_is_a_job_of_its_own(index: SweepIndex) -> None:
    check_same_recipe(index, WORDS, B, config.compose([*WORDS, "optimizer.lr=3e-3"]))


@pytest.mark.slow  # two jobs are composed
def test_the_sweep_is_refused_before_any_job(
    index: SweepIndex, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tvo_cli.sweep.runner.SweepRunner.run", lambda self: None)
    index.save()
    assert main(["train", "-m", "algorithm=tvo", "seed=1,2", f"output_dir={index.folder}"]) == 2
    assert f"with algorithm=tvo_2025 algorithm.name=tvo output_dir={index.folder} this" in capsys.readouterr().err
    assert not (index.folder / "s2").exists()
