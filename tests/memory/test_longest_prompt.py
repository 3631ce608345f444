"""The longest prompt is measured wherever tokenizer and problems are at hand, and assumed nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvo_cli import config
from tvo_cli.memory import longest_prompt as module
from tvo_cli.memory.longest_prompt import longest_prompt

MEASURED = "of the first 256 problems"


def source(*words: str) -> str:
    return longest_prompt(config.compose([*words, "output_dir=x"])).source


@pytest.mark.parametrize("dataset", ["arithmetic", "addition"])
def test_the_problems_of_generated_data_are_asked(dataset: str) -> None:
    assert source(f"dataset={dataset}") == MEASURED


def test_so_are_few_shot_sums_and_a_model_in_the_cache_or_that_was_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(module, "_longest_of_first", lambda config: asked.append(config.model.path) or 44)
    sums = ("dataset=chain_sums", "model=custom")
    assert source(*sums, "model.path=OWNER/NAME").startswith("assumed")
    monkeypatch.setattr(module, "folder_at_hand", lambda node: tmp_path)
    assert {source(*sums, f"model.path={path}") for path in ("OWNER/NAME", "fetched:smollm2-135m")} == {MEASURED}
    assert len(asked) == 2 and source("dataset=math", "model=custom", "model.path=OWNER/NAME").startswith("assumed")
