"""Which weights a hub id means, and where a fetched model lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.fetch import catalogue, fetched_models
from tvo_cli.fetch.catalogue import FetchableModel
from tvo_cli.fetch.fetched_models import cache_folder, fetched_folder, hub_or_fetched
from tvo_cli.model.model_files.model_location import location_and_options, model_location


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"TVO_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a/models/x"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/tvo/models/x"),
        ({"HOME": "/c"}, "/c/.cache/tvo/models/x"),
    ],
)
def test_the_cache_is_where_the_environment_says(
    variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TVO_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder("x") == Path(folder)


@pytest.fixture
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TVO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


def put_fetched(model: FetchableModel) -> None:
    cache_folder(model.name).mkdir(parents=True)
    (cache_folder(model.name) / fetched_models.ORIGIN).write_text("{}")


def put_on_hub_cache(root: Path, hub_id: str) -> None:
    place = root / "hub" / f"models--{hub_id.replace('/', '--')}"
    (place / "snapshots" / "c1").mkdir(parents=True)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("c1")
    (place / "snapshots" / "c1" / "model.safetensors").write_text("x")


def test_the_original_comes_first_then_the_fetched_one_and_the_config_says_which(
    empty_caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def path() -> str:
        return str(config.compose(["model=smollm2-135m", "output_dir=x"]).model.path)

    [model] = catalogue.CATALOGUE
    assert path() == model.hub_id
    put_fetched(model)
    assert path() == "fetched:smollm2-135m"
    put_on_hub_cache(empty_caches, model.hub_id)
    assert path() == model.hub_id
    assert hub_or_fetched("some/other") == "some/other"


def test_what_was_not_fetched_says_how(empty_caches: Path) -> None:
    with pytest.raises(UserError, match="tvo fetch smollm2-135m"):
        fetched_folder("fetched:smollm2-135m")
    with pytest.raises(UserError, match="cannot be fetched"):
        fetched_folder("fetched:gemma3-270m")
    assert "tvo fetch smollm2-135m" in catalogue.fetch_remedy("HuggingFaceTB/SmolLM2-135M-Instruct")
    assert catalogue.fetch_remedy("some/other") == ""


def test_a_revision_beside_a_fetched_model_is_refused_and_not_dropped(empty_caches: Path) -> None:
    [model] = catalogue.CATALOGUE
    put_fetched(model)
    chosen = config.compose(["model=smollm2-135m", "output_dir=x", "model.revision=abc"]).model
    remedy = "Leave it out, or take the hub's: model.path=HuggingFaceTB/SmolLM2-135M-Instruct."
    with pytest.raises(UserError, match=r"model\.revision=abc: .*fetched:smollm2-135m") as refused:
        model_location(chosen)
    assert refused.value.remedy == remedy
    chosen.path = model.hub_id
    assert location_and_options(chosen)[1]["revision"] == "abc"
    assert fetched_folder("fetched:smollm2-135m") == cache_folder("smollm2-135m")
