"""Every policy that a run saves has a card, which the manifest holds and a resume takes as any other file."""

from __future__ import annotations

import importlib.util

import pytest

from tests.training.conftest import Runs, Whole
from tvo_cli.checkpoint import store
from tvo_cli.model.base_origin import read_card_head

ADAPTER = pytest.mark.skipif(importlib.util.find_spec("peft") is None, reason="needs peft")


@pytest.mark.parametrize(
    ("overrides", "library"),
    [
        ((), "transformers"),
        pytest.param(("adapter=lora", "trainer.steps=2", "rollout.epochs=1"), "peft", marks=ADAPTER),
    ],
)
def test_the_card_is_in_the_manifest_and_says_algorithm_and_step(
    whole: Whole, overrides: tuple[str, ...], library: str
) -> None:
    folder = store.list_checkpoints(whole(*overrides) / "checkpoints")[-1]
    text = (folder / "policy" / "README.md").read_text(encoding="utf-8")
    head = read_card_head(folder / "policy")
    assert head["library_name"] == library and "tvo" in head["tags"]
    assert f"Training steps: {store.checkpoint_position(folder)[0]}\n" in text
    assert "policy/README.md" in (folder / store.MANIFEST).read_text() and not store.find_damage(folder)


def test_a_run_with_cards_goes_on(run: Runs) -> None:
    run("a", "trainer.steps=1")
    folder = run("a", "trainer.steps=2") / "checkpoints" / "step-000002"
    assert "Training steps: 2\n" in (folder / "policy" / "README.md").read_text(encoding="utf-8")
