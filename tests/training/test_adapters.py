"""Runs with adapters: what their checkpoints hold, exact resume, replay, readings, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.training.conftest import Checksum, MetricRows, Runs, Whole
from tvo_cli.errors import UserError
from tvo_cli.experiment import build_learner as building
from tvo_cli.experiment import replay
from tvo_cli.model import load_policy
from tvo_cli.model.adapters.adapter import adapter_tensors
from tvo_cli.model.model_files.policy_checkpoint import resolve_policy_checkpoint
from tvo_cli.stability.gradient_noise import MicroBatchVariance
from tvo_cli.training.session import Session

STEPS = ("trainer.steps=2", "rollout.epochs=1")
RUNS = {
    "lora": ("adapter=lora", "algorithm=tvo"),
    "dora": ("adapter=dora", "algorithm=grpo"),
    "ppo": ("adapter=lora", "algorithm=ppo"),
    "miss": ("adapter=miss", "algorithm=tvo"),
}
NODE = {"dtype": "float32", "attention": "sdpa", "gradient_checkpointing": False}


def base_of(folder: Path) -> str:
    """A copy of the embedded model, to be the start of a run."""
    load_policy(NODE | {"path": "packaged:tiny"}, device="cpu").save(folder)
    return f"model.path={folder}"


@pytest.mark.parametrize("name", ["lora", "dora", "ppo", "miss"])
@pytest.mark.slow
def test_a_run_with_an_adapter_stopped_at_every_update_ends_in_the_same_bits(
    whole: Whole, in_pieces: Callable[..., tuple[Path, int]], weights: Checksum, steps: MetricRows, name: str
) -> None:
    undisturbed, (cut, stops) = whole(*STEPS, *RUNS[name]), in_pieces("cut", *STEPS, *RUNS[name])
    assert stops >= 3
    assert steps(cut) == steps(undisturbed)
    assert weights(cut, 2) == weights(undisturbed, 2)


@pytest.mark.slow
def test_a_checkpoint_holds_the_adapter_alone_and_what_it_belongs_to(whole: Whole) -> None:
    folder = whole(*STEPS, *RUNS["lora"]) / "checkpoints" / "step-000002"
    assert sorted(file.name for file in folder.glob("policy/*.safetensors")) == ["adapter_model.safetensors"]
    held = load_file(folder / "policy" / "adapter_model.safetensors")
    moments = load_file(folder / "optimizer.safetensors")
    assert sum(one.numel() for name, one in moments.items() if name.endswith("|exp_avg")) == sum(
        one.numel() for one in held.values()
    )
    base = json.loads((folder / "policy" / "base.json").read_text())
    assert base["path"] == "packaged:tiny" and len(base["fingerprint"]) == 64
    assert json.loads((folder / "state.json").read_text())["origin"]["base"] == base["fingerprint"]


@pytest.mark.slow
def test_the_critic_has_an_adapter_of_its_own(whole: Whole) -> None:
    folder = whole(*STEPS, *RUNS["ppo"]) / "checkpoints" / "step-000002"
    held = load_file(folder / "critic.safetensors")
    assert {name for name in held if "lora_" not in name} == {"head.weight", "head.bias"}
    assert any(float(value.abs().max()) > 0 for name, value in held.items() if "lora_B" in name)


@pytest.mark.slow
def test_a_resume_beside_another_base_is_refused_with_both_digests(run: Runs, tmp_path: Path) -> None:
    start = base_of(tmp_path / "base")
    folder = run("a", *STEPS, "adapter=lora", start)
    digest = json.loads((folder / "checkpoints" / "step-000002" / "state.json").read_text())["origin"]["base"]
    other = load_policy(NODE | {"path": "packaged:tiny"}, device="cpu")
    with torch.no_grad():
        other.network.model.layers[0].self_attn.o_proj.weight.mul_(1.001)
    other.save(tmp_path / "base")
    with pytest.raises(UserError, match=rf"holds the weights [0-9a-f]{{16}}; the run's adapter .* {digest[:16]}"):
        run("a", "trainer.steps=3", "rollout.epochs=1", "adapter=lora", start)


@pytest.mark.slow
@pytest.mark.parametrize("changed", ["adapter.rank=8", "adapter=none", "adapter=dora", "adapter.seed=1"])
def test_a_resume_with_another_adapter_is_refused(whole: Whole, changed: str) -> None:
    from tests.training.conftest import train_in

    folder = whole(*STEPS, *RUNS["lora"])
    with pytest.raises(UserError, match="holds a run with other settings"):
        train_in(folder, ("trainer.steps=3", "rollout.epochs=1", *RUNS["lora"], changed))


def test_the_reference_is_the_base_and_the_first_policy_too(whole: Whole, steps: MetricRows) -> None:
    first, second = steps(whole(*STEPS, *RUNS["lora"]))
    assert abs(first["policy/kl_ref"]) < 1e-6 < second["policy/kl_ref"]
    assert first["policy/mismatch"] < 1e-6 and second["policy/mismatch"] < 1e-6


@pytest.mark.slow
def test_the_variance_is_read_over_what_trains(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[list[Any]] = []
    start = MicroBatchVariance.__init__

    def starting(self: MicroBatchVariance, parameters: Any) -> None:
        watched.append(list(parameters))
        start(self, watched[-1])

    built: list[Any] = []
    give = building.build_adapter
    monkeypatch.setattr(building, "build_adapter", lambda policy, *rest: (give(policy, *rest), built.append(policy)))
    monkeypatch.setattr(MicroBatchVariance, "__init__", starting)
    run("a", *STEPS, "adapter=lora", "trainer.steps=1")
    trained = {id(one) for one in adapter_tensors(built[0].network).values()}
    assert [{id(one) for one in parameters} for parameters in watched] == [trained]


@pytest.mark.slow
def test_a_recorded_step_is_replayed_to_the_bit_and_under_another_algorithm(run: Runs) -> None:
    folder = run("a", *STEPS, *RUNS["lora"], "recorder.steps=[2]")
    record, (exact, other) = replay(folder, 2, ["algorithm=grpo"])
    assert (exact.weights_before, exact.weights_after) == (record["weights_before"], record["weights_after"])
    assert other.moved is not None and exact.moved is not None and other.moved.shape == exact.moved.shape
    with pytest.raises(UserError, match=r"adapter\.rank=8: a recorded step is replayed with what trained in it"):
        replay(folder, 2, ["adapter.rank=8"])


@pytest.mark.slow
def test_a_replay_beside_another_base_is_refused(run: Runs, tmp_path: Path) -> None:
    start = base_of(tmp_path / "base")
    folder = run("a", *STEPS, "adapter=lora", "recorder.steps=[2]", start)
    other = load_policy(NODE | {"path": "packaged:tiny"}, device="cpu")
    with torch.no_grad():
        other.network.model.norm.weight.mul_(1.001)
    other.save(tmp_path / "base")
    with pytest.raises(UserError, match="the run's adapter belongs to"):
        replay(folder, 2, [])


@pytest.mark.slow
def test_a_rollback_takes_the_adapter_back(whole: Whole) -> None:
    folder = whole(
        *("adapter=lora", "algorithm=grpo", "optimizer.lr=2e-1", "stability=act", "stability.snapshot_every=1"),
        *("stability.rules.kl_ceiling.severity=collapse", "stability.rules.kl_ceiling.limit=1e-4"),
        *("stability.rules.kl_ceiling.patience=1", *STEPS),
    )
    assert "restored the policy" in (folder / "run.log").read_text()


@pytest.mark.slow
def test_a_run_is_loaded_with_its_adapter_and_not_trained_from(whole: Whole, run: Runs) -> None:
    folder = whole(*STEPS, *RUNS["lora"])
    assert resolve_policy_checkpoint(str(folder)).endswith("step-000002/policy")
    found = load_policy(NODE | {"path": str(folder)}, device="cpu")
    held = load_file(folder / "checkpoints" / "step-000002" / "policy" / "adapter_model.safetensors")
    assert found.base is not None and len(found.trained_tensors()) == len(held)
    for adapter in ("none", "lora"):
        with pytest.raises(UserError, match="Merge it first: tvo export"):
            run("b", *STEPS, f"adapter={adapter}", f"model.path={folder}")


@pytest.mark.slow
def test_a_snapshot_holds_the_adapter_alone(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    take = Session.take_snapshot
    monkeypatch.setattr(Session, "take_snapshot", lambda *given: taken.append(take(*given)) or taken[-1])
    run("a", *STEPS, "adapter=lora", "recorder.steps=[1]")
    assert taken and all("lora_" in name for one in taken for name in one.tensors["policy"])
