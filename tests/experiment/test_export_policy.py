"""`tvo export`: a hub folder that others can load, whole or not there, and an upload that never happens by accident."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Never

import pytest
import torch
from safetensors.torch import load_file

from tests.training.conftest import train_in
from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.cli.main import main
from tvo_cli.errors import UserError
from tvo_cli.experiment import export_policy as exporting
from tvo_cli.model import load_policy
from tvo_cli.model.base_model_card import read_base_card_head
from tvo_cli.model.loading.merged_policy import load_merged_policy

NODE = {"dtype": "float32", "attention": "sdpa", "gradient_checkpointing": False, "checkpoint": "last"}
IDS = torch.arange(4, 20)[None]
needs_peft = pytest.mark.skipif(importlib.util.find_spec("peft") is None, reason="needs peft")


class StandInHub:
    """`huggingface_hub.HfApi` that remembers its calls, and which repositories there are and are private."""

    calls: list[tuple[str, dict[str, Any]]] = []  # noqa: RUF012
    private: dict[str, bool] = {}  # noqa: RUF012

    def repo_info(self, repository: str, **options: Any) -> SimpleNamespace:
        if repository not in self.private:
            raise LookupError("404 Client Error")
        return SimpleNamespace(private=self.private[repository])

    def create_repo(self, repository: str, **options: Any) -> None:
        self.calls.append(("create_repo", {"repo_id": repository} | options))
        assert options["exist_ok"] or repository not in self.private
        self.private.setdefault(repository, options["private"])

    def upload_folder(self, **options: Any) -> None:
        files = {path.name for path in Path(options["folder_path"]).iterdir()}
        self.calls.append(("upload_folder", options | {"files": files}))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> type[StandInHub]:
    StandInHub.calls, StandInHub.private = [], {}
    monkeypatch.setattr("huggingface_hub.HfApi", StandInHub)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    return StandInHub


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps with a checkpoint each; to be read."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return train_in(folder, ("trainer.steps=2", "trainer.checkpoint_every=1", "trainer.keep=9", "rollout.epochs=1"))


@pytest.fixture(scope="module")
def adapter_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with an adapter beside a local folder; to be read."""
    root = tmp_path_factory.mktemp("runs")
    load_policy(NODE | {"path": "packaged:tiny"}, device="cpu").save(root / "start")
    (root / "start" / "LICENSE").write_text("the text of the licence")
    words = ("adapter=lora", "trainer.steps=1", "rollout.epochs=1", f"model.path={root / 'start'}")
    return train_in(root / "run", words)


def texts(folder: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in folder.iterdir() if path.suffix != ".safetensors")


@pytest.mark.slow
@pytest.mark.parametrize(("checkpoint", "step"), [("last", 2), ("step-000001", 1)])
def test_the_folder_is_the_policy_of_the_checkpoint_with_its_card(
    run: Path, tmp_path: Path, checkpoint: str, step: int
) -> None:
    assert main(["export", str(run), str(tmp_path / "out"), "--checkpoint", checkpoint]) == 0
    held = run / "checkpoints" / checkpoint_folders.checkpoint_name(step) / "policy" / "model.safetensors"
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == held.read_bytes()
    assert f"Training steps: {step}\n" in (tmp_path / "out" / "README.md").read_text()
    assert load_policy(NODE | {"path": str(tmp_path / "out")}, device="cpu").tokenizer is not None


@needs_peft
@pytest.mark.slow
def test_an_adapter_is_exported_in_pefts_format_without_a_path_of_this_machine(
    adapter_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert main(["export", str(adapter_run), str(out)]) == 0
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == "start"
    assert str(adapter_run.parent) not in texts(out)
    assert read_base_card_head(out)["library_name"] == "peft" and (out / "LICENSE").is_file()
    beside = load_policy(NODE | {"path": str(out), "base": str(adapter_run.parent / "start")}, device="cpu")
    trained = load_policy(NODE | {"path": str(adapter_run)}, device="cpu")
    assert torch.equal(beside.network(input_ids=IDS).logits, trained.network(input_ids=IDS).logits)


@pytest.mark.slow
@needs_peft
def test_from_another_folder_licence_and_base_stay_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, adapter_run: Path
) -> None:
    card = {"base_model": "OWNER/BASE", "license": "apache-2.0"}
    start = shutil.copytree(adapter_run.parent / "start", tmp_path / "start")
    (start / "README.md").write_text(f"---\n{json.dumps(card)}\n---\n")
    monkeypatch.chdir(tmp_path)
    words = ("adapter=lora", "trainer.steps=1", "rollout.epochs=1", "model.path=./start")
    run, elsewhere = train_in(tmp_path / "run", words), tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    for options in ([], ["--merge"]):
        out = tmp_path / f"out{len(options)}"
        assert main(["export", str(run), str(out), *options]) == 0
        head = read_base_card_head(out)
        assert (head["license"], head["base_model"]) == ("apache-2.0", "OWNER/BASE") and (out / "LICENSE").is_file()
    out = tmp_path / "out0"  # OWNER/BASE is what the folder was made from, not what the adapter was trained beside
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == "start"
    assert json.loads((out / "base.json").read_text())["path"] == "start"
    assert "beside OWNER/BASE it gives other answers" in (out / "README.md").read_text()


@pytest.mark.parametrize(
    ("base", "named"),
    [
        ("Own/Base", "Own/Base"),
        ("/home/someone/hub/models--Own--Base/snapshots/abc", "Own/Base"),
        ("/home/someone/tuned", "tuned"),
        ("packaged:tiny", "packaged:tiny"),
    ],
)
def test_the_hub_id_names_a_base_that_is_that_model_itself(tmp_path: Path, base: str, named: str) -> None:
    (tmp_path / "README.md").write_text("---\nbase_model: Own/Base\n---\n")
    (tmp_path / "base.json").write_text(
        json.dumps({"path": base, "revision": None, "quantise": None, "fingerprint": ""})
    )
    (tmp_path / "adapter_config.json").write_text("{}")
    exporting._name_base_for_others(tmp_path, base)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["base_model_name_or_path"] == named
    assert json.loads((tmp_path / "base.json").read_text())["path"] == named


def test_a_push_that_fails_is_one_line_and_the_folder_stays(
    run: Path,
    tmp_path: Path,
    hub: type[StandInHub],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class NetworkError(Exception):
        """As network libraries raise it: neither an OSError nor a ValueError."""

    def unreachable(*given: object, **more: object) -> Never:
        raise NetworkError("no route")

    monkeypatch.setattr(hub, "create_repo", unreachable)
    assert main(["export", str(run), str(tmp_path / "out"), "--push", "me/mine"]) == 2
    said = capsys.readouterr().err
    assert "the upload failed (no route)" in said and "hf upload me/mine" in said and "Traceback" not in said
    assert (tmp_path / "out" / "model.safetensors").is_file()


@pytest.mark.slow
@needs_peft
def test_merged_it_needs_no_base(adapter_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["export", str(adapter_run), str(out), "--merge"]) == 0
    expected = load_merged_policy(NODE | {"path": str(adapter_run)}, device="cpu").network.state_dict()
    saved = load_file(out / "model.safetensors")
    assert saved and all(torch.equal(expected[name], value) for name, value in saved.items())
    assert not (out / "adapter_config.json").exists() and (out / "LICENSE").is_file()
    assert read_base_card_head(out)["library_name"] == "transformers" and str(adapter_run.parent) not in texts(out)


def test_a_dry_run_of_a_run_that_is_only_read_lists_its_files(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make, tried = tempfile.mkdtemp, []

    def only_outside(suffix: str | None = None, prefix: str | None = None, dir: Any = None) -> str:
        tried.append(dir)
        if dir is not None:
            raise OSError(errno.EROFS, "Read-only file system", str(dir))
        return make(suffix, prefix, tmp_path / "temporary")

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "mkdtemp", only_outside)
    assert main(["export", str(run), str(tmp_path / "new" / "out"), "--dry-run"]) == 0
    assert "model.safetensors" in capsys.readouterr().out and tried == [run, tmp_path, None]
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_dry_run_lists_and_leaves_and_uploads_nothing(
    run: Path, tmp_path: Path, hub: type[StandInHub], capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(run.rglob("*"))
    for refused in ("mine", "own er/na me", "me/a--b"):
        assert main(["export", str(run), str(tmp_path / "out"), "--push", refused, "--dry-run"]) == 2
    assert main(["export", str(run), str(tmp_path / "out"), "--push", "me/mine", "--dry-run"]) == 0
    said = capsys.readouterr().out
    size = (run / "checkpoints/step-000002/policy/model.safetensors").stat().st_size
    assert f"{size:,}  model.safetensors" in said and "me/mine" in said and "Nothing was" in said
    assert hub.calls == [] and list(tmp_path.iterdir()) == [] and sorted(run.rglob("*")) == before


def test_a_push_makes_a_private_repository_and_uploads_the_folder(
    run: Path, tmp_path: Path, hub: type[StandInHub]
) -> None:
    assert main(["export", str(run), str(tmp_path / "out"), "--push", "me/mine"]) == 0
    (made, first), (uploaded, second) = hub.calls
    assert (made, uploaded) == ("create_repo", "upload_folder")
    assert first["repo_id"] == second["repo_id"] == "me/mine" and first["private"]
    assert {"README.md", "model.safetensors"} <= second["files"]


def test_a_public_repository_is_refused_before_anything_is_written_unless_it_is_meant(
    run: Path, tmp_path: Path, hub: type[StandInHub], capsys: pytest.CaptureFixture[str]
) -> None:
    hub.private.update({"me/open": False, "me/mine": True})
    assert main(["export", str(run), str(tmp_path / "out"), "--push", "me/open"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "--push=me/open: is there already and public" in said and "--public" in said
    assert hub.calls == [] and list(tmp_path.iterdir()) == []
    assert main(["export", str(run), str(tmp_path / "mine"), "--push", "me/mine"]) == 0
    assert main(["export", str(run), str(tmp_path / "open"), "--push", "me/open", "--public"]) == 0
    assert [more["repo_id"] for call, more in hub.calls if call == "upload_folder"] == ["me/mine", "me/open"]


def test_a_repository_that_shows_to_be_public_at_the_upload_gets_nothing(
    run: Path,
    tmp_path: Path,
    hub: type[StandInHub],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The hub did not answer before: whoever asks then does not know."""
    info, asked = hub.repo_info, list[str]()

    def answers_later(self: StandInHub, repository: str, **options: Any) -> SimpleNamespace:
        asked.append(repository)
        if len(asked) == 1:
            raise ConnectionError("no route")
        return info(self, repository, **options)

    hub.private["me/open"] = False
    monkeypatch.setattr(hub, "repo_info", answers_later)
    assert main(["export", str(run), str(tmp_path / "out"), "--push", "me/open"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "is there already and public" in said and "hf upload me/open" in said
    assert [call for call, _ in hub.calls] == ["create_repo"] and (tmp_path / "out" / "model.safetensors").is_file()


def test_public_without_a_push_means_nothing(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run), str(tmp_path / "out"), "--public"]) == 2
    assert "--push" in capsys.readouterr().err.splitlines()[-1] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("offline", "repository", "said"),
    [("1", "me/mine", "HF_HUB_OFFLINE"), ("0", "mine", "OWNER"), ("0", "own er/na me", "is no name of a repository")],
)
def test_a_push_that_cannot_be_is_one_line_before_anything_is_written(
    *,
    run: Path,
    tmp_path: Path,
    hub: type[StandInHub],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    offline: str,
    repository: str,
    said: str,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", offline)
    assert main(["export", str(run), str(tmp_path / "out"), "--push", repository]) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert hub.calls == [] and list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_written_over(run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="is there already"):
        exporting.export_policy(run, tmp_path / "out")
    with pytest.raises(UserError, match="is no training run"):
        exporting.export_policy(tmp_path, tmp_path / "other")
    (tmp_path / "sft.json").write_text("{}")
    with pytest.raises(UserError, match=r"is a run of tvo sft.* there in the hub's format already"):
        exporting.export_policy(tmp_path, tmp_path / "other")
    with pytest.raises(UserError, match="no such checkpoint"):
        exporting.export_policy(run, tmp_path / "other", checkpoint="step-000009")


def test_a_folder_that_cannot_be_made_is_told_by_its_argument(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"^OUT=.*/file/out: cannot be made: Not a directory\. Name another folder"):
        exporting.export_policy(run, tmp_path / "file" / "out")


def test_its_files_are_read_by_whoever_reads_new_files_here(run: Path, tmp_path: Path) -> None:
    (held,) = run.glob("checkpoints/step-000002/policy/model.safetensors")
    held.chmod(0o600)  # as safetensors writes it
    before = os.umask(0o027)
    try:
        files = exporting.export_policy(run, tmp_path / "out")
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o777 for file in files} == {0o640}


def test_killed_half_way_nothing_is_there(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> Never:
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "is_adapter", killed)
    with pytest.raises(KeyboardInterrupt):
        exporting.export_policy(run, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
