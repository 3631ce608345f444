"""Models that are made, and real ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast

from benchmarks.gpu import model_process
from benchmarks.gpu.subjects import random_subject, real_subject

AMOUNTS: dict[str, Any] = {"prompts": 2, "samples": 3, "prompt_tokens": 3, "new_tokens": 2}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tiny shape as model_process writes it."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    model_process.prepare(folder, random_subject("tiny", **AMOUNTS).work, 2, "cpu", None)
    yield folder


def test_a_random_model_has_the_parameters_that_are_reckoned(built: Path) -> None:
    tensors = load_file(built / "model" / "model.safetensors")
    assert sum(tensor.numel() for tensor in tensors.values()) == random_subject("tiny", **AMOUNTS).sizes.parameters
    written = (built / "model" / "model.safetensors").stat().st_mtime_ns
    model_process.prepare(built, random_subject("tiny", **AMOUNTS).work, 2, "cpu", None)
    assert (built / "model" / "model.safetensors").stat().st_mtime_ns == written, "the same is not written again"


def test_a_real_model_is_linked_with_an_end_that_it_never_says(built: Path, tmp_path: Path) -> None:
    source = built / "model"
    subject, random = real_subject(source, **AMOUNTS), random_subject("tiny", **AMOUNTS)
    assert subject.sizes == random.sizes and subject.work.rows == 6 and subject.name == "real-model"
    model_process.prepare(tmp_path / "real", subject.work, 2, "cpu", source)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path / "real" / "model")
    assert tokenizer.eos_token_id == 512 and tokenizer.chat_template is None
    assert (tmp_path / "real" / "model" / "model.safetensors").resolve() == (source / "model.safetensors").resolve()
    rows = (tmp_path / "real" / "problems.jsonl").read_text(encoding="utf-8").splitlines()
    assert [len(tokenizer(json.loads(row)["question"])["input_ids"]) for row in rows] == [3] * 4


def test_an_embedding_beside_a_head_of_its_own_is_only_looked_up(built: Path, tmp_path: Path) -> None:
    tied, untied = load_file(built / "model" / "model.safetensors"), tmp_path / "untied"
    untied.mkdir()
    (untied / "config.json").write_bytes((built / "model" / "config.json").read_bytes())
    save_file(tied | {"lm_head.weight": tied["model.embed_tokens.weight"].clone()}, untied / "model.safetensors")
    assert real_subject(untied, **AMOUNTS).sizes == real_subject(built / "model", **AMOUNTS).sizes


def test_a_mixture_of_experts_is_refused(built: Path, tmp_path: Path) -> None:
    config = json.loads((built / "model" / "config.json").read_text(encoding="utf-8")) | {"num_experts": 8}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ValueError, match="num_experts: a token reads a part of the weights"):
        real_subject(tmp_path, **AMOUNTS)
