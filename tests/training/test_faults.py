"""Disks that fill, files that are damaged, settings that differ, secrets: what a run does about them."""

from __future__ import annotations

import copy
import json
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Never

import pytest
import torch

from tests.training.conftest import Checksum, Runs, Whole
from tvo_cli import config, experiment
from tvo_cli.checkpoint import checkpoint_damage, checkpoint_folders, checkpoint_writer
from tvo_cli.checkpoint.manifest import MANIFEST
from tvo_cli.cli.main import main
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.config.schema import CONFIG_OF_COMMAND, value_types
from tvo_cli.errors import UserError
from tvo_cli.file_digest import file_sha256
from tvo_cli.training import training_loop
from tvo_cli.training.metrics.step_metrics import measure_step
from tvo_cli.training.resume import checkpoint_origin

from .conftest import SMALL, composed

ONE_STEP = ("algorithm=grpo", "rollout.epochs=1", "rollout.minibatches=1", "trainer.steps=1")
QUICK = ("algorithm=grpo", "rollout.epochs=1", "trainer.steps=2", "trainer.checkpoint_every=1")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of eight megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    made = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True
        ).returncode
    )
    if not made:
        pytest.skip("needs root to mount a tmpfs")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
def test_a_full_disk_keeps_the_old_checkpoint_and_says_so(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process takes the space after the run has begun."""
    monkeypatch.setattr("tvo_cli.experiment.run_training.check_disk_room", lambda *found: None)

    def go(*overrides: str) -> dict[str, Any]:
        return experiment.train(config.compose([*SMALL, *QUICK, f"output_dir={small_disk}/run", *overrides]))

    go("trainer.steps=1")
    root = small_disk / "run" / "checkpoints"
    room = shutil.disk_usage(small_disk).free - 400_000
    (small_disk / "ballast").write_bytes(b"x" * room)
    with pytest.raises(UserError, match=r"no space for a checkpoint .* the run can be resumed from step-000001"):
        go("trainer.steps=3")
    assert checkpoint_damage.newest_whole_checkpoint(root, print) == root / "step-000001"
    rows = (small_disk / "run" / "metrics.jsonl").read_text().splitlines()
    assert len(rows) == 3, "the run went on past the checkpoint that had no room"
    (small_disk / "ballast").unlink()
    assert go("trainer.steps=3")["steps"] == 3
    assert not list(root.glob(".*"))


def test_a_disk_that_fills_while_writing_keeps_the_old_checkpoint(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process takes the space between the check and the writing."""
    tensors = {"optimizer": {"x": torch.zeros(150_000)}}
    old = checkpoint_writer.save_checkpoint(small_disk / "step-000001", tensors=tensors, state={})
    monkeypatch.setattr(checkpoint_writer, "check_free_space", lambda root, wanted: None)
    (small_disk / "ballast").write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 300_000))
    with pytest.raises(OSError, match="No space left"):
        checkpoint_writer.save_checkpoint(small_disk / "step-000002", tensors=tensors, state={})
    assert checkpoint_damage.newest_whole_checkpoint(small_disk, print) == old
    assert sorted(path.name for path in small_disk.iterdir()) == ["ballast", "step-000001"]


@pytest.mark.parametrize(
    "file", ["optimizer.safetensors", "state.json", "policy/model.safetensors", "streams.safetensors"]
)
@pytest.mark.parametrize("damage", ["flip", "cut", "missing"])
def test_a_damaged_newest_checkpoint_is_passed_over(whole: Whole, tmp_path: Path, file: str, damage: str) -> None:
    root = shutil.copytree(whole(*QUICK), tmp_path / "a") / "checkpoints"
    victim = root / "step-000002" / file
    content = bytearray(victim.read_bytes())
    if damage == "missing":
        victim.unlink()
    else:
        content[len(content) // 2] ^= 1
        victim.write_bytes(content if damage == "flip" else content[: len(content) // 2])
    said: list[str] = []
    assert checkpoint_damage.newest_whole_checkpoint(root, said.append) == root / "step-000001"
    assert len(said) == 1 and "step-000002 is damaged" in said[0] and file in said[0]


@pytest.mark.slow
def test_all_damaged_means_a_start_from_nothing(run: Runs, whole: Whole, weights: Checksum) -> None:
    undisturbed, other = whole(*QUICK), shutil.copytree(whole(*QUICK), run.root / "b")
    for folder in (other / "checkpoints").glob("step-*"):
        (folder / "state.json").write_text("{")
    run("b", *QUICK)
    assert weights(other, 2) == weights(undisturbed, 2)


@pytest.mark.parametrize("way", ["../../outside", "/etc/hostname", "link"])
def test_a_manifest_that_leads_out_of_its_folder_is_damage(tmp_path: Path, way: str) -> None:
    folder = checkpoint_writer.save_checkpoint(tmp_path / "step-000001", tensors={}, state={})
    (tmp_path / "outside").write_text("x")
    if way == "link":
        (folder / "link").symlink_to(tmp_path / "outside")
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest[way] = {"bytes": 1, "sha256": file_sha256(tmp_path / "outside")}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    assert checkpoint_damage.find_damage(folder) == f"{way} leads out of the folder"


def test_links_are_no_checkpoints(run: Runs, whole: Whole, tmp_path: Path) -> None:
    folder = whole(*QUICK)
    (tmp_path / "b" / "checkpoints").mkdir(parents=True)
    (tmp_path / "b" / "checkpoints" / "step-000002").symlink_to(folder / "checkpoints" / "step-000002")
    assert checkpoint_folders.list_checkpoints(tmp_path / "b" / "checkpoints") == []
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "checkpoints").symlink_to(folder / "checkpoints")
    with pytest.raises(UserError, match="a link that leads out of the run folder"):
        run("c", *QUICK)


def test_allowed_keys_may_differ_and_others_are_still_refused(run: Runs, whole: Whole) -> None:
    folder = shutil.copytree(whole(*QUICK), run.root / "a")
    more = ("trainer.steps=3", "optimizer.lr=1e-4", "optimizer.clip_norm=2.0")
    with pytest.raises(
        UserError, match=r"optimizer\.clip_norm=2\.0 \(recorded: 1\.0\)\. .*resume\.allow=\[optimizer\.clip_norm\]"
    ):
        run("a", *QUICK, *more, "resume.allow=[optimizer.lr]")
    run("a", *QUICK, *more, "resume.allow=[optimizer]")
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3] and rows[2]["optimizer/lr"] == 1e-4


def test_other_code_is_a_warning_and_another_reference_an_error(
    run: Runs, whole: Whole, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(whole(*QUICK), run.root / "a")
    monkeypatch.setattr(checkpoint_origin, "origin_code_version", lambda: "0.0.0+elsewhere")
    run("a", *QUICK, "trainer.steps=3")
    assert "code is 0.0.0+elsewhere, the checkpoint's is" in caplog.text
    state = checkpoint_folders.read_stored_state(run.root / "a" / "checkpoints" / "step-000003")
    with pytest.raises(UserError, match="other weights than those the run started from"):
        checkpoint_origin.compare_checkpoint_origin(state["origin"], {**state["origin"], "reference": "00"}, print)


@pytest.mark.slow
def test_pruning_keeps_every_nth_and_the_best(run: Runs) -> None:
    folder = run("a", *QUICK, "trainer.steps=5", "trainer.keep=1",
                 "trainer.keep_every=2", "trainer.keep_best=true")  # fmt: skip
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    best = max((row["accuracy/fresh"], row["step"]) for row in rows)[1]
    kept = {
        checkpoint_folders.checkpoint_position(path)[0]
        for path in checkpoint_folders.list_checkpoints(folder / "checkpoints")
    }
    assert kept == {2, 4, 5, best}


@pytest.mark.slow
@pytest.mark.parametrize("every", [0, 5])
def test_the_last_checkpoint_has_the_score_that_checkpoints_go_by(run: Runs, every: int) -> None:
    """pass@1 of the last evaluation, which comes after the checkpoint, where evaluation.every asks for it."""
    folder = run("a", *ONE_STEP, "evaluation=default", "evaluation.problems=3", "evaluation.samples=1",
                 "evaluation.at_start=false", f"evaluation.every={every}")  # fmt: skip
    step, evaluation = (json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines())
    [last] = checkpoint_folders.list_checkpoints(folder / "checkpoints")
    wanted = evaluation["eval/pass@1"] if every else step["accuracy/fresh"]
    assert checkpoint_folders.score_of_stored_policy(last) == wanted and not checkpoint_damage.find_damage(last)
    assert step["accuracy/fresh"] != evaluation["eval/pass@1"], "the test tells nothing"


@pytest.mark.parametrize("name", ["../up", "/abs", "a/../../b"])
def test_a_run_name_cannot_leave_the_outputs(name: str) -> None:
    for key in ("run_name", "experiment_name"):
        chosen = copy.deepcopy(composed(()))
        chosen[key] = name
        with pytest.raises(UserError, match=f"{key}={name}: leads out of outputs/"):
            check_across_keys(chosen)


class WithVault(CONFIG_OF_COMMAND["train"]):  # type: ignore[misc,name-defined,valid-type]
    """A config in which somebody keeps a secret."""

    vault: value_types.Free = value_types.key("secrets", optional=True)


def assert_no_file_holds(secrets: tuple[str, ...], folder: Path) -> None:
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert {"config.yaml", "experiment.json", "run.log", "command.txt", "state.json"} <= {path.name for path in written}
    for path in written:
        assert not any(secret.encode() in path.read_bytes() for secret in secrets), path


def test_no_secret_reaches_any_file_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key in the environment, one in the config, and an error that quotes the first."""
    hidden = ("wandb-f00dfacec0ffee", "hush-hush-hush")
    monkeypatch.setenv("WANDB_API_KEY", hidden[0])
    monkeypatch.setitem(CONFIG_OF_COMMAND, "train", WithVault)
    words = [*SMALL, *QUICK, "recorder.steps=[1]", f"+vault.api_key={hidden[1]}", f"output_dir={tmp_path}/run"]
    monkeypatch.setattr("sys.argv", ["tvo train", *words])
    monkeypatch.setattr(
        training_loop, "measure_step", lambda *args: 1 / 0 if args[0].counters.step else measure_step(*args)
    )
    with pytest.raises(ZeroDivisionError):
        experiment.train(config.compose(words))
    monkeypatch.setattr(training_loop, "measure_step", measure_step)
    experiment.train(config.compose(words))
    logging.getLogger("tvo").warning("the service refused the key %s", hidden[0])

    def refusing(*args: object) -> Never:
        raise UserError("logger", "wandb", f"the service refused {hidden[0]}.")

    monkeypatch.setattr(training_loop, "sample_batch", refusing)
    assert main(["train", *words, "resume=never"]) == 2
    assert hidden[0] not in capsys.readouterr().err
    assert_no_file_holds(hidden, tmp_path)
    assert "***" in (tmp_path / "run" / "run.log").read_text()
