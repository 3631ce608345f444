"""A dry run reads the file of problems, so that its faults are told before a model is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tvo_cli import config
from tvo_cli.cli.derived_sizes import derived_sizes
from tvo_cli.errors import UserError


def planned(path: Path, *words: str) -> dict[str, Any]:
    return derived_sizes(config.compose(["dataset=jsonl", f"dataset.path={path}", *words, "output_dir=x"])).table


def test_the_file_is_read_and_its_problems_counted(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps({"question": f"q{i}", "answer": i}) + "\n" for i in range(20)))
    sizes = planned(path)
    assert (sizes["training problems"][0], sizes["held-out problems"][0]) == (18, 2)
    sizes = planned(
        path, "dataset.holdout=0", "rollout.prompts=16", "rollout.minibatches=2", "trainer.microbatch_rows=3"
    )
    assert [sizes[one][0] for one in ("responses a minibatch", "gradient accumulation")] == [8, 3]
    assert sizes["training problems"][0] == 20
    assert (
        sizes["held-out problems"][0] == 0 and "leaves no problem for the test split" in sizes["held-out problems"][1]
    )


@pytest.mark.slow
def test_a_named_model_is_planned_where_neither_its_files_nor_the_hub_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    words = ("experiment=math_1.5b", "trainer.device=cuda", "output_dir=x")
    sizes = derived_sizes(config.compose(words)).table
    assert sizes["parameters"][0] == 1_543_714_304 and "itself is not here" in sizes["parameters"][1]
    assert sizes["memory, GB"][0] == 33.17, "as docs/memory.md"
    assert [sizes[one][0] for one in ("responses a minibatch", "responses a micro-batch", "gradient accumulation")] == [
        *(128, 4, 32),
    ]
    sizes = derived_sizes(config.compose([*words, "model.path=nobody/knows"])).table
    assert sizes["parameters"][0] == "unknown" and "memory, GB" not in sizes


def test_what_is_wrong_with_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"question": "q", "answer": {"value": 1}}\n')
    with pytest.raises(UserError, match="line 1 has an object for an answer"):
        planned(path)
    with pytest.raises(UserError, match="no such file"):
        planned(tmp_path / "nothing.jsonl")
