"""The licence of a base from the hub: read beside its weights, of their own commit, and never said not to be there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Never

import pytest

from tests.model.test_model_card import config, written
from tvo_cli.model.base_model_card import base_origin
from tvo_cli.model.model_card import ModelCard

FIRST, SECOND = "a" * 40, "b" * 40
CARD = "---\nlicense: apache-2.0\n---\nwords"


class StandInHub:
    """A repository with these files, and what was asked for: the listing, and each file, at which revision."""

    def __init__(self, cache: Path) -> None:
        self.cache, self.asked = cache, list[tuple[str, str]]()
        self.files = {"README.md": CARD, "LICENSE": "the text", "pytorch_model.bin": "", "original/LICENSE": ""}

    def snapshot(self, commit: str) -> Path:
        return self.cache / "models--Owner--Name" / "snapshots" / commit

    def model_info(self, hub_id: str, *, revision: str, timeout: float) -> SimpleNamespace:
        assert hub_id == "Owner/Name" and 0 < timeout <= 10
        self.asked.append(("", revision))
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=name) for name in self.files])

    def download(self, hub_id: str, filename: str, *, revision: str, cache_dir: Path, etag_timeout: float) -> str:
        assert hub_id == "Owner/Name" and Path(cache_dir) == self.cache and 0 < etag_timeout <= 10
        self.asked.append((filename, revision))
        (self.snapshot(revision) / filename).write_text(self.files[filename])
        return str(self.snapshot(revision) / filename)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandInHub:
    """The hub answers, and its cache has the weights of two commits; main is the first."""
    made = StandInHub(tmp_path / "hub")
    for commit in (FIRST, SECOND):
        made.snapshot(commit).mkdir(parents=True)
        for name in ("model.safetensors", "config.json", "tokenizer_config.json"):
            (made.snapshot(commit) / name).write_text("{}")
    (made.cache / "models--Owner--Name" / "refs").mkdir()
    (made.cache / "models--Owner--Name" / "refs" / "main").write_text(FIRST)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(made.cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: made)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", made.download)
    return made


@pytest.mark.parametrize(("revision", "commit"), [(None, FIRST), (SECOND, SECOND)])
def test_card_and_licence_are_brought_beside_the_weights_once(
    hub: StandInHub, tmp_path: Path, revision: str | None, commit: str
) -> None:
    run = config("Owner/Name")
    run["model"]["revision"] = revision
    head, body = written(ModelCard.of(run), tmp_path / "policy")
    assert (head["base_model"], head["license"]) == ("Owner/Name", "apache-2.0")
    assert "Licence of the base: apache-2.0. Its text is in LICENSE." in body
    assert (tmp_path / "policy" / "LICENSE").read_text() == "the text"
    assert hub.asked == [("", commit), ("LICENSE", commit), ("README.md", commit)]
    assert base_origin(run["model"]).licence == {"license": "apache-2.0"} and len(hub.asked) == 3


def without_a_network(hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*given: object, **more: object) -> Never:
        raise ConnectionError("no route")

    monkeypatch.setattr(hub, "model_info", nobody)


def switched_off(hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def with_nothing_but_weights(hub: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.files = {"model.safetensors": ""}


@pytest.mark.parametrize("spoilt", [without_a_network, switched_off, with_nothing_but_weights])
def test_a_licence_that_was_not_at_hand_is_said_to_be_at_the_hub(
    hub: StandInHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoilt: Callable[..., None]
) -> None:
    spoilt(hub, monkeypatch)
    head, body = written(ModelCard.of(config("Owner/Name")), tmp_path / "policy")
    assert "license" not in head and "states no licence" not in body
    assert "was at hand when this policy was saved" in body and "https://huggingface.co/Owner/Name" in body
    assert not hub.asked or spoilt is with_nothing_but_weights


def test_a_snapshot_in_another_cache_has_its_files_there_and_other_folders_have_none(
    hub: StandInHub, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    hub.cache.rename(tmp_path / "other")
    hub.cache = tmp_path / "other"
    node: dict[str, Any] = config(str(hub.snapshot(SECOND)))["model"]
    assert base_origin(node).licence == {"license": "apache-2.0"} and hub.asked[0] == ("", SECOND)
    hub.snapshot(FIRST).rename(mine)
    assert base_origin(config(str(mine))["model"]).licence == {} and len(hub.asked) == 3


def test_licence_texts_of_several_names_are_kept(hub: StandInHub) -> None:
    kept, left = ("LICENSE-MODEL.txt", "NOTICE", "LICENCE.apache2"), ("license_check.py", "LICENSE.json")
    hub.files |= dict.fromkeys((*kept, *left), "")
    found = base_origin(config("Owner/Name")["model"]).licence_files
    assert [file.name for file in found] == ["LICENCE.apache2", "LICENSE", "LICENSE-MODEL.txt", "NOTICE"]
