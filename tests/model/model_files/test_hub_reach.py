"""A model that is neither a folder nor in the hub's cache: said within seconds, with the folder that was meant."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import OfflineModeIsEnabled

from tvo_cli.errors import UserError
from tvo_cli.model.loading.tokenizer_loading import load_tokenizer
from tvo_cli.model.model_files import hub_reach


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The addresses that the hub is asked for; nobody answers."""
    urls: list[str] = []

    def nobody(url: str, **_: object) -> None:
        urls.append(url)
        raise ConnectionError(url)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", nobody)
    monkeypatch.setattr(hub_reach, "PAUSE", 0.0)
    hub_reach._trouble_with_hub.cache_clear()
    return urls


@pytest.mark.parametrize(("path", "meant"), [("strat", "start"), ("runs/strat", "runs/start")])
def test_a_mistyped_folder_is_no_hub_id_for_long(asked: list[str], path: str, meant: str) -> None:
    Path(meant).mkdir(parents=True)
    with pytest.raises(UserError, match=f"hub cannot be reached.*Did you mean the folder {meant}\\?"):
        load_tokenizer({"path": path})
    assert len(asked) == hub_reach.TRIES


def test_a_single_name_is_a_hub_id_where_the_hub_answers(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("gpt2-out").mkdir()
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda url, **_: asked.append(url))
    hub_reach.check_hub_answers({"path": "gpt2"}, "gpt2")
    assert [url.split("/")[3] for url in asked] == ["gpt2"]


def test_offline_nothing_is_asked_twice(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(url: str, **_: object) -> None:
        asked.append(url)
        raise OfflineModeIsEnabled("offline")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", offline)
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set"):
        hub_reach.check_hub_answers({"path": "owner/name"}, "owner/name")
    assert len(asked) == 1


def test_what_is_in_the_cache_needs_no_hub(asked: list[str], tmp_path: Path) -> None:
    hub = tmp_path / "hub" / "models--gpt2"
    (hub / "snapshots" / "abc").mkdir(parents=True)
    (hub / "refs").mkdir()
    (hub / "refs" / "main").write_text("abc")
    (hub / "snapshots" / "abc" / "config.json").write_text("{}")
    hub_reach.check_hub_answers({"path": "gpt2"}, "gpt2")
    assert asked == []
