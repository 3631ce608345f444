"""KL-Cov, SIREN and the controllers in whole runs: no split changes them, and what they carry survives a stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch import Tensor

from tests.training.conftest import Checksum, MetricRows, Runs

PENALTIES = "algorithm.objective.penalties"
STRONG = {
    "siren": (f"{PENALTIES}.siren.anchor=0.2", f"{PENALTIES}.siren.coef.value=1"),
    "kl_cov": (f"{PENALTIES}.kl_cov.term.share=0.2", f"{PENALTIES}.kl_cov.coef.value=10"),
}


def weights_of(folder: Path, step: int) -> dict[str, Tensor]:
    return load_file(folder / "checkpoints" / f"step-{step:06d}" / "policy" / "model.safetensors")


def distance(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    return max(float((one[name] - other[name]).abs().max()) for name in one)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["siren", "kl_cov"])
def test_no_split_into_micro_batches_changes_them(run: Runs, name: str) -> None:
    given = (
        f"algorithm={name}",
        "trainer.steps=1",
        "rollout.epochs=1",
        "optimizer=sgd",
        "optimizer.lr=0.1",
        "trainer.variance_parts=1",
    )
    whole = weights_of(run("whole", *given, *STRONG[name]), 1)
    cut = weights_of(run("cut", *given, *STRONG[name], "trainer.microbatch_rows=2"), 1)
    without = weights_of(run("without", *given, next(o for o in STRONG[name] if "coef" in o).split("=")[0] + "=0"), 1)
    assert distance(whole, cut) < 1e-6
    assert distance(whole, without) > 1e-5, "the penalty acts"


@pytest.mark.slow
def test_the_anchor_is_that_of_the_whole_first_batch_before_any_update(run: Runs) -> None:
    """However it is cut: the untrained policy's, over every response of the batch."""
    anchors = []
    for name, count in (("one", 1), ("four", 4)):
        sizes = (f"rollout.minibatches={count}", f"trainer.microbatch_rows={2 if count == 4 else 0}")
        folder = run(name, "algorithm=siren", *sizes, "trainer.steps=1", "rollout.epochs=1")
        state = json.loads((folder / "checkpoints" / "step-000001" / "state.json").read_text())
        anchors.append(state["algorithm"]["objective"]["penalties.siren"]["anchor"])
    assert anchors[0] == pytest.approx(anchors[1], rel=1e-5) and 0 < anchors[0] < 5


@pytest.mark.slow  # fast: test_runs, with other algorithms
@pytest.mark.parametrize("name", ["siren", "grpo_kl_adaptive", "grpo_target_entropy", "grpo_early_stop"])
def test_a_stopped_run_goes_on_bit_for_bit(
    run: Runs, resumed: Callable[..., Path], weights: Checksum, steps: MetricRows, name: str
) -> None:
    given = (f"algorithm={name}", "trainer.checkpoint_every=1", "optimizer.lr=3e-4", "trainer.steps=3")
    whole = run("whole", *given)
    cut = resumed("cut", *given, after=2)
    assert weights(cut, 3) == weights(whole, 3) and steps(cut) == steps(whole)
