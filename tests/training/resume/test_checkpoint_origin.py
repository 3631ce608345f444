"""Another model than that of a run's start is refused before anything of the run is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.conftest import Runs
from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.experiment import evaluate
from tvo_cli.model import load_policy

NODE = {"dtype": "float32", "attention": "sdpa", "gradient_checkpointing": False, "path": "packaged:tiny"}
QUICK = ("algorithm=grpo", "rollout.epochs=1", "rollout.minibatches=1", "trainer.steps=1")


def put_model(folder: Path, factor: float) -> str:
    """The embedded model with one of its weights times a factor, as the model that a run starts from."""
    policy: Any = load_policy(NODE, device="cpu")
    with torch.no_grad():
        policy.network.model.norm.weight.mul_(factor)
    policy.save(folder)
    return f"model.path={folder}"


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("stability.reference=true",), "holds other weights than those the run started from"),
        (("adapter=lora",), "the run's adapter belongs to"),
    ],
)
def test_a_finished_run_stays_as_it_is_where_its_model_has_become_another(
    run: Runs, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    start = put_model(tmp_path / "start", 1.0)
    folder = run("a", *QUICK, *words, start)
    before = files(folder)
    put_model(tmp_path / "start", 1.001)
    with pytest.raises(UserError, match=said):
        run("a", *QUICK, *words, start, "trainer.steps=2")
    assert files(folder) == before
    put_model(tmp_path / "start", 1.0)
    run("a", *QUICK, *words, start, "trainer.steps=2")
    assert files(folder) != before


@pytest.mark.slow
def test_an_evaluation_stays_as_it_is_where_the_base_has_become_another(run: Runs, tmp_path: Path) -> None:
    start = put_model(tmp_path / "start", 1.0)
    trained, folder = run("a", *QUICK, "adapter=lora", start), tmp_path / "evaluated"
    words = [f"model.path={trained}", f"output_dir={folder}", "evaluation.limit=4", "decoding.samples=1", "threads=1"]

    def evaluated() -> dict[str, Any]:
        return evaluate(config.compose(words, "eval"), lambda step: None, ["model.path"])

    evaluated()
    before = {place: files(place) for place in (trained, folder)}
    put_model(tmp_path / "start", 1.001)
    with pytest.raises(UserError, match="its adapter belongs to the weights"):
        evaluated()
    assert {place: files(place) for place in (trained, folder)} == before
