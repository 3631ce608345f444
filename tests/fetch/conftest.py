"""A wheel with a tiny GGUF model in it, and a catalogue that knows it."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tvo_cli.fetch import catalogue
from tvo_cli.fetch.catalogue import FetchableModel

WIDTH, ROWS = 32, 48  # of the network; of its vocabulary
MEMBER, HUB_ID = "llm_tiny/tiny.gguf", "owner/tiny"


def write_gguf(path: Path) -> None:
    """A Llama of one layer with random weights, whose tokenizer has merges: 1 and 2 would become 12."""
    gguf = pytest.importorskip("gguf")
    writer, rng = gguf.GGUFWriter(str(path), "llama"), np.random.default_rng(0)
    for name, value in (
        *(("context_length", 64), ("embedding_length", WIDTH), ("block_count", 1), ("feed_forward_length", 64)),
        *(("head_count", 2), ("head_count_kv", 1), ("rope_dimension_count", 16)),
    ):
        getattr(writer, f"add_{name}")(value)
    writer.add_layer_norm_rms_eps(1e-5)
    write_tokenizer(writer)
    for name, shape in {
        "token_embd.weight": (ROWS, WIDTH), "output_norm.weight": (WIDTH,),
        "blk.0.attn_norm.weight": (WIDTH,), "blk.0.ffn_norm.weight": (WIDTH,),
        "blk.0.attn_q.weight": (WIDTH, WIDTH), "blk.0.attn_k.weight": (16, WIDTH), "blk.0.attn_v.weight": (16, WIDTH),
        "blk.0.attn_output.weight": (WIDTH, WIDTH), "blk.0.ffn_gate.weight": (64, WIDTH),
        "blk.0.ffn_up.weight": (64, WIDTH), "blk.0.ffn_down.weight": (WIDTH, 64),
    }.items():  # fmt: skip
        writer.add_tensor(name, rng.normal(size=shape, scale=0.1).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_tokenizer(writer: Any) -> None:
    words = ["<unk>", "<begin>", "<end>", *"0123456789", *"abcdefghijklmnopqrstuvwxyz+=Ġ", "12", "ab"]
    tokens = words + [f"<spare{i}>" for i in range(ROWS - len(words))]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith("<") else 1 for token in tokens])
    writer.add_token_merges(["1 2", "a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template("{% for m in messages %}{{ m.content }}{% endfor %}")


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(path)
    return path


@pytest.fixture
def wheel(gguf_file: Path, tmp_path: Path) -> Path:
    path = tmp_path / "llm_tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(gguf_file, MEMBER)
        archive.writestr("llm_tiny-1.0.dist-info/LICENSE", "You may.\n")
    return path


@pytest.fixture
def tiny(gguf_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FetchableModel:
    """The catalogue's only model; the cache and the hub's are empty folders."""
    digest = hashlib.sha256(gguf_file.read_bytes()).hexdigest()
    model = FetchableModel("tiny-fetch", HUB_ID, "llm-tiny==1.0", MEMBER, digest, "MIT", 1, "smollm2", "it is random")
    monkeypatch.setattr(catalogue, "CATALOGUE", (model,))
    monkeypatch.setenv("TVO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return model
