"""Policy-only checkpoints: the policy and the state stay, whole; what only a resume needs goes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Never

import pytest

from tests.checkpoint.small_checkpoints import write
from tvo_cli.checkpoint import checkpoint_damage, checkpoint_folders, policy_only, pruning


def test_the_policy_and_the_state_stay_and_the_bytes_of_the_rest_are_told(tmp_path: Path) -> None:
    folder = write(tmp_path, 10)
    size = (folder / "optimizer.safetensors").stat().st_size
    assert not policy_only.is_policy_only(folder)
    assert policy_only.drop_resume_tensors(folder) == size
    assert policy_only.is_policy_only(folder)
    assert checkpoint_damage.find_damage(folder) == ""
    parts, state = checkpoint_folders.load_checkpoint(folder)
    assert parts == {} and state == {"step": 10}
    assert (folder / "policy" / "model.safetensors").read_bytes() == b"weights of step 10"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000010"]


def test_the_second_time_nothing_is_done(tmp_path: Path) -> None:
    folder = write(tmp_path, 10)
    policy_only.drop_resume_tensors(folder)
    before = folder.stat().st_mtime_ns
    assert policy_only.drop_resume_tensors(folder) == 0
    assert folder.stat().st_mtime_ns == before


def test_without_hard_links_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Never:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    folder = write(tmp_path, 10)
    policy_only.drop_resume_tensors(folder)
    assert checkpoint_damage.find_damage(folder) == "" and policy_only.is_policy_only(folder)


def test_killed_before_the_rename_the_whole_checkpoint_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> Never:
        raise KeyboardInterrupt

    folder = write(tmp_path, 10)
    monkeypatch.setattr(policy_only, "rename_into_place", killed)
    with pytest.raises(KeyboardInterrupt):
        policy_only.drop_resume_tensors(folder)
    pruning.remove_leftovers(tmp_path)
    assert checkpoint_damage.find_damage(folder) == "" and not policy_only.is_policy_only(folder)
