"""The card of a saved policy: base, licence and training are stated, and no place of a machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tvo_cli.model.base_model_card import base_origin
from tvo_cli.model.model_card import ModelCard


def config(path: str, **changed: Any) -> dict[str, Any]:
    return {
        "model": {"path": path, "revision": None, "checkpoint": "last"},
        "algorithm": {"name": "tvo"},
        "dataset": {"name": "chain_sums"},
        "adapter": {"kind": "none"},
    } | changed


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder that passes for a model; it states nothing yet."""
    folder = tmp_path / "base"
    folder.mkdir()
    for name in ("config.json", "tokenizer_config.json"):
        (folder / name).write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def written(card: ModelCard, folder: Path) -> tuple[dict[str, Any], str]:
    folder.mkdir(exist_ok=True)
    card.write(folder, 7)
    _, head, body = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), body


def test_a_fetched_base_is_named_with_its_licence_and_that_it_was_rounded(base: Path, tmp_path: Path) -> None:
    origin = {"hub_id": "Owner/Name", "requirement": "x==1", "licence": "Apache-2.0"}
    origin |= {"note": "its weights were rounded to 4 bits"}
    (base / "origin.json").write_text(json.dumps(origin))
    (base / "LICENSE").write_text("the text of the licence")
    head, body = written(ModelCard.of(config(str(base))), tmp_path / "policy")
    assert (head["base_model"], head["license"]) == ("Owner/Name", "apache-2.0")
    assert head["library_name"] == "transformers" and "tvo" in head["tags"]
    assert "rounded to 4 bits" in body and "Training steps: 7" in body and "chain\\_sums" in body
    assert (tmp_path / "policy" / "LICENSE").read_text() == "the text of the licence"
    assert str(tmp_path) not in body


@pytest.mark.parametrize(
    ("file", "text", "stated"),
    [
        ("README.md", "---\nlicense: mit\nbase_model: [A/B]\n---\ntext", {"license": "mit"}),
        ("README.md", "---\nlicense: other\nlicense_name: llama\n---\n", {"license": "other", "license_name": "llama"}),
        ("config.json", '{"license": "MIT"}', {"license": "mit"}),
        ("README.md", "---\nlicense: [\n---\n", {}),
        ("README.md", "no head\n", {}),
        ("README.md", "---\nlicense_link: /home/someone/LICENSE\n---\n", {}),
    ],
)
def test_a_licence_is_what_the_base_states(base: Path, file: str, text: str, stated: dict[str, str]) -> None:
    (base / file).write_text(text)
    assert base_origin(config(str(base))["model"]).licence == stated


def test_without_a_licence_none_is_made_up(base: Path, tmp_path: Path) -> None:
    head, body = written(ModelCard.of(config(str(base))), tmp_path / "policy")
    assert not {"license", "base_model"} & head.keys()
    assert "states no licence" in body and "a local folder, base" in body


def test_the_base_of_a_base_is_said_to_be_that(base: Path, tmp_path: Path) -> None:
    (base / "README.md").write_text("---\nbase_model: Owner/Name\n---\n")
    head, body = written(ModelCard.of(config(str(base))), tmp_path / "policy")
    assert head["base_model"] == "Owner/Name" and "a local folder, base, which was made from Owner/Name" in body


def test_a_hub_id_is_the_base_and_so_is_that_of_a_snapshot_in_the_cache(base: Path, tmp_path: Path) -> None:
    assert base_origin(config("Owner/Name")["model"]).hub_id == "Owner/Name"
    snapshot = tmp_path / "models--Owner--Name" / "snapshots" / "0123"
    snapshot.parent.mkdir(parents=True)
    base.rename(snapshot)
    assert base_origin(config(str(snapshot))["model"]).hub_id == "Owner/Name"


def test_an_adapter_is_one_of_peft_until_it_is_merged(tmp_path: Path) -> None:
    run = config("Owner/Name", adapter={"kind": "dora"})
    head, body = written(ModelCard.of(run), tmp_path / "adapter")
    assert head["library_name"] == "peft" and head["base_model_relation"] == "adapter" and "dora" in head["tags"]
    assert "A DoRA adapter" in body
    head, _ = written(ModelCard.of(run, merged=True), tmp_path / "merged")
    assert head["library_name"] == "transformers" and head["base_model_relation"] == "finetune"


def test_names_are_text_and_no_markup(tmp_path: Path) -> None:
    run = config("packaged:tiny", dataset={"name": "/home/someone/<b>secret</b>/<b>x"})
    head, body = written(ModelCard.of(run), tmp_path / "policy")
    assert "/home" not in body and "<b>" not in body.replace("\\<b>", "") and "the embedded model" in body
    assert "base_model" not in head


def test_tags_name_each_thing_once(base: Path, tmp_path: Path) -> None:
    head, _ = written(ModelCard.of(config(str(base), adapter={"kind": "lora"})), tmp_path / "policy")
    assert head["tags"] == ["tvo", "reinforcement-learning", "lora"]


def test_a_fine_tuned_model_says_that_it_was_fine_tuned(base: Path, tmp_path: Path) -> None:
    chosen = {key: value for key, value in config(str(base)).items() if key in ("model", "dataset")}
    (base / "config.json").write_text('{"license": "MIT"}')
    head, body = written(ModelCard.of_fine_tuning(chosen), tmp_path / "policy")
    assert head["tags"] == ["tvo", "sft"] and head["license"] == "mit"
    assert "fine-tuned on worked solutions" in body and "reinforcement" not in body
