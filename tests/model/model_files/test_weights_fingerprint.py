"""Which weights a path means, and whether they have changed."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tvo_cli.errors import UserError
from tvo_cli.model.model_files import policy_checkpoint
from tvo_cli.model.model_files.policy_checkpoint import resolve_policy_checkpoint
from tvo_cli.model.model_files.weights_fingerprint import (
    _stored_tensors,
    stored_weights_fingerprint,
    weights_fingerprint,
)


def write_checkpoint(root: Path, name: str, score: float | None) -> Path:
    """As a training leaves it, with files of a few bytes."""
    folder = root / name
    (folder / "policy").mkdir(parents=True)
    (folder / "policy" / "config.json").write_text("{}")
    (folder / "state.json").write_text(json.dumps({"counters": {"score": score}}))
    files = [folder / "policy" / "config.json", folder / "state.json"]
    sums = {str(f.relative_to(folder)): {"sha256": hashlib.sha256(f.read_bytes()).hexdigest()} for f in files}
    (folder / "manifest.json").write_text(json.dumps(sums))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for step, score in ((10, 0.4), (20, 0.6), (30, None)):
        write_checkpoint(tmp_path / "run" / "checkpoints", f"step-{step:06d}", score)
    (tmp_path / "run" / "summary.json").write_text(json.dumps({"best_step": 17}))  # by another criterion; not saved
    return tmp_path / "run"


def test_a_run_folder_means_its_last_best_or_a_named_checkpoint(run: Path) -> None:
    root = run / "checkpoints"
    assert resolve_policy_checkpoint(str(run)) == str(root / "step-000030" / "policy")
    assert resolve_policy_checkpoint(str(run), "best") == str(root / "step-000020" / "policy")
    assert resolve_policy_checkpoint(str(run), "step-000010") == str(root / "step-000010" / "policy")
    assert resolve_policy_checkpoint(str(root / "step-000010")) == str(root / "step-000010" / "policy"), (
        "a checkpoint itself"
    )
    assert resolve_policy_checkpoint("OWNER/NAME") == "OWNER/NAME"


def test_a_damaged_checkpoint_is_neither_the_last_nor_the_best(run: Path) -> None:
    root = run / "checkpoints"
    damaged = write_checkpoint(root, "step-000040", 0.9)
    assert resolve_policy_checkpoint(str(run)) == resolve_policy_checkpoint(str(run), "best") == str(damaged / "policy")
    (damaged / "policy" / "config.json").write_text("{torn")
    assert resolve_policy_checkpoint(str(run)) == str(root / "step-000030" / "policy")
    assert resolve_policy_checkpoint(str(run), "best") == str(root / "step-000020" / "policy")


def test_the_last_checkpoint_of_a_run_that_prunes_meanwhile_is_the_newer_one(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = run / "checkpoints"
    is_whole = policy_checkpoint._is_policy_whole

    def slow(folder: Path) -> bool:
        if not (root / "step-000040").is_dir():  # while the weights were read
            write_checkpoint(root, "step-000040", 0.9)
            for step in (10, 20, 30):
                shutil.rmtree(root / f"step-{step:06d}")
        return is_whole(folder)

    monkeypatch.setattr(policy_checkpoint, "_is_policy_whole", slow)
    assert resolve_policy_checkpoint(str(run)) == str(root / "step-000040" / "policy")


def test_without_a_score_there_is_no_best(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "checkpoints", "step-000010", None)
    with pytest.raises(UserError, match=r"checkpoint=best: .* no such checkpoint"):
        resolve_policy_checkpoint(str(tmp_path), "best")


def test_a_missing_checkpoint_is_said_with_those_that_are_there(run: Path) -> None:
    with pytest.raises(UserError, match=r"checkpoint=step-5: .* There are: step-000010, step-000020, step-000030"):
        resolve_policy_checkpoint(str(run), "step-5")


def test_the_digest_changes_with_the_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"x" * 100)
    before = weights_fingerprint(str(tmp_path))
    assert weights_fingerprint(str(tmp_path)) == before
    (tmp_path / "model.safetensors").write_bytes(b"x" * 99 + b"y")
    assert weights_fingerprint(str(tmp_path)) != before
    assert weights_fingerprint("OWNER/NAME") == ""


def test_a_folder_of_the_embedded_starts_name_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = torch.nn.Linear(2, 2)
    before = stored_weights_fingerprint("fresh", network)
    (tmp_path / "fresh").mkdir()
    save_file({"weight": torch.zeros(1)}, tmp_path / "fresh" / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    assert stored_weights_fingerprint("fresh", network) == before


def mapped_bytes() -> int:
    """Bytes of files that are in this process's memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssFile"))


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="asks Linux")
def test_a_file_of_weights_is_in_memory_a_tensor_at_a_time(tmp_path: Path) -> None:
    one = 4 * 2**20
    save_file({f"layer.{n}": torch.full((one // 4,), float(n)) for n in range(10)}, tmp_path / "model.safetensors")
    before, most = mapped_bytes(), 0
    for _, tensor in _stored_tensors([tmp_path / "model.safetensors"]):
        tensor.sum()
        most = max(most, mapped_bytes() - before)
    assert one / 2 < most < 3 * one
