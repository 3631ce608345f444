"""What a run's summary says of the weights that it began from."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tvo_cli.fetch.fetched_models import ORIGIN, cache_folder
from tvo_cli.model.model_files.model_identity import model_identity, warn_of_fetched_weights


def put(folder: Path, weights: str) -> None:
    folder.mkdir(parents=True)
    for file in ("config.json", "tokenizer_config.json"):
        (folder / file).write_text("{}")
    (folder / "model.safetensors").write_text(weights)


def test_fetched_weights_and_the_hubs_have_digests_that_differ_and_the_fetched_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TVO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    hub = tmp_path / "hub" / "models--owner--name"
    put(hub / "snapshots" / "c1", "original")
    (hub / "refs").mkdir()
    (hub / "refs" / "main").write_text("c1")
    put(cache_folder("smollm2-135m"), "rounded")
    (cache_folder("smollm2-135m") / ORIGIN).write_text('{"requirement": "x==1", "note": "its weights were rounded"}')
    fetched = model_identity({"path": "fetched:smollm2-135m", "revision": None})
    original = model_identity({"path": "owner/name", "revision": None})
    assert fetched["weights"] and original["weights"] and fetched["weights"] != original["weights"]
    assert (fetched["origin"], "origin" in original) == ("x==1: its weights were rounded", False)
    assert model_identity({"path": "owner/elsewhere", "revision": "abc"})["weights"] == "abc"
    with caplog.at_level(logging.WARNING, logger="tvo"):
        warn_of_fetched_weights({"path": "owner/name"})
        assert not caplog.records
        warn_of_fetched_weights({"path": "fetched:smollm2-135m"})
    put(tmp_path / "mine", "weights")
    (tmp_path / "mine" / ORIGIN).write_text('{"author": "of another program"}')
    assert "origin" not in model_identity({"path": str(tmp_path / "mine")})
    assert "not the one of the hub: its weights were rounded" in caplog.text
