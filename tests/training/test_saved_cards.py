"""Every policy that a run saves has a card, which the manifest holds and a resume takes as any other file."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from tests.training.conftest import Runs, Whole, before_each_update, train_in
from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.checkpoint.checkpoint_damage import find_damage
from tvo_cli.checkpoint.manifest import MANIFEST
from tvo_cli.model.base_model_card import read_base_card_head
from tvo_cli.model.model_files.model_location import WEIGHTS
from tvo_cli.model.model_files.weights_fingerprint import weights_fingerprint

ADAPTER = pytest.mark.skipif(importlib.util.find_spec("peft") is None, reason="needs peft")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "library"),
    [
        pytest.param((), "transformers", marks=pytest.mark.slow),
        pytest.param(("adapter=lora", "trainer.steps=2", "rollout.epochs=1"), "peft", marks=ADAPTER),
    ],
)
def test_the_card_is_in_the_manifest_and_says_algorithm_and_step(
    whole: Whole, overrides: tuple[str, ...], library: str
) -> None:
    folder = checkpoint_folders.list_checkpoints(whole(*overrides) / "checkpoints")[-1]
    text = (folder / "policy" / "README.md").read_text(encoding="utf-8")
    head = read_base_card_head(folder / "policy")
    assert head["library_name"] == library and "tvo" in head["tags"]
    assert f"Training steps: {checkpoint_folders.checkpoint_position(folder)[0]}\n" in text
    assert "policy/README.md" in (folder / MANIFEST).read_text() and not find_damage(folder)


@pytest.mark.slow
def test_a_run_with_cards_goes_on(run: Runs) -> None:
    run("a", "trainer.steps=1")
    folder = run("a", "trainer.steps=2") / "checkpoints" / "step-000002"
    assert "Training steps: 2\n" in (folder / "policy" / "README.md").read_text(encoding="utf-8")


def test_the_summary_has_the_digest_of_the_weights_that_the_run_began_from(tmp_path: Path) -> None:
    start = shutil.copytree(WEIGHTS / "tiny", tmp_path / "start")
    digest = weights_fingerprint(str(start))
    with before_each_update(lambda work: shutil.rmtree(start, ignore_errors=True)):
        run = train_in(tmp_path / "run", ("trainer.steps=1", f"model.path={start}"))
    assert json.loads((run / "summary.json").read_text())["model"]["weights"] == digest
