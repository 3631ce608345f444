"""KL-Cov, SIREN and the controllers in whole runs: no split changes them, and what they carry survives a stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.conftest import Checksum, MetricRows, Runs
from tvo_cli.training.batch import RolloutBatch

from .conftest import largest_difference, trained_policy

PENALTIES = "algorithm.objective.penalties"
STRONG = {
    "siren": (f"{PENALTIES}.siren.anchor=0.2", f"{PENALTIES}.siren.coef.value=1"),
    "kl_cov": (f"{PENALTIES}.kl_cov.term.share=0.2", f"{PENALTIES}.kl_cov.coef.value=10"),
}


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
    whole = trained_policy(run("whole", *given, *STRONG[name]))
    cut = trained_policy(run("cut", *given, *STRONG[name], "trainer.microbatch_rows=2"))
    without = trained_policy(run("without", *given, next(o for o in STRONG[name] if "coef" in o).split("=")[0] + "=0"))
    assert largest_difference(whole, cut) < 1e-6
    assert largest_difference(whole, without) > 1e-5, "the penalty acts"


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


@pytest.mark.slow
def test_epos_corridor_remembers_the_entropy_of_each_batch(run: Runs, batches: list[RolloutBatch]) -> None:
    folder = run("epo", "algorithm=epo", "trainer.steps=2", "rollout.epochs=1")
    state = json.loads((folder / "checkpoints" / "step-000002" / "state.json").read_text())
    entropies = [one.experience.old_entropy[one.experience.mask].mean().item() for one in batches]  # type: ignore[index]
    held = state["algorithm"]["objective"]["penalties.epo"]
    assert held == pytest.approx({"total": sum(entropies), "batches": 2.0}, rel=1e-5)
    assert entropies[0] != pytest.approx(entropies[1], rel=1e-5), "no constant would do"
