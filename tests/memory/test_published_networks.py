"""Published networks have the parameters that their hub pages state, and are those that conf/model names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvo_cli import config
from tvo_cli.memory.published_networks import PUBLISHED, published_shape

STATED = {  # parameters, by the hub's safetensors index
    "HuggingFaceTB/SmolLM2-135M-Instruct": 134_515_008,
    "Qwen/Qwen2.5-0.5B-Instruct": 494_032_768,
    "meta-llama/Llama-3.2-1B-Instruct": 1_235_814_400,
    "Qwen/Qwen2.5-Math-1.5B-Instruct": 1_543_714_304,
    "Qwen/Qwen2.5-Math-7B-Instruct": 7_615_616_512,
}


@pytest.mark.parametrize("hub_id", [pytest.param(one, marks=pytest.mark.slow) for one in PUBLISHED])
def test_a_published_network_has_the_parameters_that_its_authors_state(hub_id: str) -> None:
    shape = published_shape(hub_id)
    assert shape is not None and shape.parameters == STATED[hub_id]


def test_a_model_that_is_not_in_the_list_has_no_shape() -> None:
    assert published_shape("Qwen/Qwen2.5-9B") is None and PUBLISHED.keys() == STATED.keys()


@pytest.mark.slow
def test_the_list_has_what_conf_names_but_for_windowed_layers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TVO_CACHE", str(tmp_path / "fetched"))
    names = [name for name in config.choices_of_group("model") if not name.startswith(("tiny", "custom", "fresh"))]
    paths = {config.compose([f"model={name}", "output_dir=x"]).model.path for name in names}
    assert paths == PUBLISHED.keys() | {"google/gemma-3-270m-it"}
