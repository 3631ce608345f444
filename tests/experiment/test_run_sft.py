"""`tvo sft`: what lies in its folder besides the weights."""

from __future__ import annotations

from pathlib import Path

from tvo_cli import config
from tvo_cli.experiment.run_sft import sft
from tvo_cli.model.base_origin import read_card_head


def test_the_folder_has_a_card(tmp_path: Path) -> None:
    words = ("dataset=addition", "steps=2", "rows=4", "problems=2", "samples=1", f"output_dir={tmp_path}")
    sft(config.compose(words, "sft"))
    assert read_card_head(tmp_path)["tags"] == ["tvo", "sft"]
    assert "Training steps: 2\n" in (tmp_path / "README.md").read_text()
