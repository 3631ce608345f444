"""Checkpoints and recordings from before an optimiser's state had names: by index, in the order of its parameters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from safetensors import safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

from tests.training.conftest import MetricRows, Runs, Whole
from tvo_cli import experiment
from tvo_cli.checkpoint import optimizer_state

PPO = ("algorithm=ppo", "rollout.epochs=1", "recorder.steps=[2]", "stability=act", "stability.snapshot_every=1")


@contextmanager
def written_by_index() -> Iterator[None]:
    """Checkpoints as version 0.1 wrote them."""

    def by_index(optimizer: Optimizer, network: nn.Module) -> dict[str, Tensor]:
        entries = optimizer.state_dict()["state"]
        return {f"{index}.{key}": value for index, found in entries.items() for key, value in found.items()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optimizer_state, "optimizer_tensors", by_index)
        yield


def names_in(file: Path) -> set[str]:
    """The names of a file's tensors."""
    with safe_open(file, framework="pt") as content:
        return set(content.keys())


@pytest.mark.slow
def test_a_run_goes_on_to_the_same_bits(run: Runs, whole: Whole, steps: MetricRows) -> None:
    """Of policy and critic, and of both in the snapshot that a rollback returns to."""
    undisturbed = whole(*PPO, "trainer.steps=3")
    with written_by_index():
        folder = run("old", *PPO, "trainer.steps=2")
    place = folder / "checkpoints" / "step-000002"
    assert {name[:2] for part in ("optimizer", "critic_optimizer") for name in names_in(place / f"{part}.safetensors")
            } >= {"0.", "1."}, "the test tells nothing"  # fmt: skip
    assert "tensors.critic_optimizer.0.exp_avg" in names_in(place / "snapshot.safetensors")
    run("old", *PPO, "trainer.steps=3")
    assert steps(folder) == steps(undisturbed)
    learnt = ("policy/model", "optimizer", "critic", "critic_optimizer")
    files = [[(one / "checkpoints/step-000003" / f"{name}.safetensors").read_bytes() for name in learnt]
             for one in (folder, undisturbed)]  # fmt: skip
    assert files[0] == files[1]


@pytest.mark.slow
def test_a_recorded_step_replays_to_the_same_bits(run: Runs) -> None:
    with written_by_index():
        folder = run("old", *PPO, "trainer.steps=2")
    record, [replayed] = experiment.replay(folder, 2, [])
    assert replayed.weights_after == record["weights_after"] != record["weights_before"]
