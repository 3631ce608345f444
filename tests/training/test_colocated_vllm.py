"""Training whose rollouts vLLM samples in the same process, by a stand-in of it; sleep was never run on a GPU."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from tests.stand_in_server import serving
from tests.stand_in_vllm import StandInLLM
from tests.training.conftest import MetricRows, Runs, largest_difference, trained_policy
from tests.training.test_served_rollouts import FEW
from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.errors import UserError
from tvo_cli.experiment import build_sampler


@pytest.fixture(autouse=True)
def vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("vllm")
    vars(module).update(LLM=StandInLLM, SamplingParams=SimpleNamespace)
    monkeypatch.setitem(sys.modules, "vllm", module)
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "1")
    monkeypatch.setattr(StandInLLM, "calls", [])


@pytest.fixture
def sleeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU."""
    made: Callable[..., object] = build_sampler._colocated_sampler
    gpu = torch.device("cuda")
    monkeypatch.setattr(build_sampler, "_colocated_sampler", lambda config, prompt, device: made(config, prompt, gpu))


EXCHANGE = ["wake", "reload", "reset", "probe", "generate", "sleep"]


def test_it_is_handed_the_weights_and_sleeps_while_the_trainer_learns(
    run: Runs, sleeping: None, steps: MetricRows
) -> None:
    rows = steps(run("a", *FEW, "rollout=vllm", "trainer.steps=1"))
    assert StandInLLM.calls == ["sleep", *EXCHANGE]
    assert all(row["policy/mismatch_max"] < 1e-4 for row in rows)
    assert min(row["group/zero_advantage"] for row in rows) < 1.0, "or nothing would be learned"


@pytest.mark.slow
def test_an_evaluation_shares_the_exchange_and_wakes_it_once_more(run: Runs, sleeping: None) -> None:
    run("a", *FEW, "rollout=vllm", "trainer.steps=1", "evaluation=quick", "evaluation.problems=2", "evaluation.every=1")
    batch = ["wake", "generate", "sleep"]  # by the weights that the evaluation at the start has brought
    assert StandInLLM.calls == ["sleep", *EXCHANGE, *batch, *EXCHANGE]


@pytest.mark.slow
def test_without_a_gpu_it_stays_awake(run: Runs) -> None:
    run("a", *FEW, "rollout=vllm", "trainer.steps=1")
    assert StandInLLM.calls == ["reload", "reset", "probe", "generate"]


@pytest.mark.slow
def test_weights_that_it_did_not_take_over_stop_the_run(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StandInLLM, "stale_from", 2)
    said = r"^rollout=vllm: step 2: vLLM does not hold these weights but earlier ones"
    with pytest.raises(UserError, match=said):
        run("a", *FEW, "rollout=vllm", "optimizer.lr=1e-3")
    held = checkpoint_folders.list_checkpoints(run.root / "a" / "checkpoints")
    assert [folder.name for folder in held] == ["step-000001"]


@pytest.mark.slow
def test_it_samples_what_a_server_samples_and_leaves_the_generators_alone(run: Runs, steps: MetricRows) -> None:
    """The same requests and seeds: who carries them differs, and log π in its last bit by the threads that compute."""
    with serving() as server:
        there = run("there", *FEW, "rollout=server", f"rollout.url={server.url}")
    here = run("here", *FEW, "rollout=vllm")
    one, other = ([(row["reward/mean"], row["response/length"]) for row in steps(folder)] for folder in (here, there))
    assert one == other
    assert largest_difference(trained_policy(here, 2), trained_policy(there, 2)) < 1e-5
    streams: list[dict[str, Any]]
    streams = [
        dict(checkpoint_folders.load_checkpoint(f / "checkpoints" / "step-000002")[0]["streams"]) for f in (here, there)
    ]
    assert all(torch.equal(streams[0][name], value) for name, value in streams[1].items()), "vLLM seeds them"


@pytest.mark.slow
def test_an_aborted_answer_stops_the_run(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StandInLLM, "finish", "abort")
    with pytest.raises(UserError, match=r"^rollout=vllm: step 1, response 0 to .*: the answer ended by 'abort'"):
        run("a", *FEW, "rollout=vllm", "rollout.mismatch_limit=inf")


@pytest.mark.slow
def test_vllm_is_told_what_a_run_needs_of_it(run: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[StandInLLM] = []
    monkeypatch.setattr(StandInLLM, "reset_prefix_cache", lambda self: made.append(self))
    run("a", *FEW, "rollout=vllm", "+rollout.options.gpu_memory_utilization=0.3", "trainer.steps=1")
    options = made[0].options
    assert options["gpu_memory_utilization"] == 0.3 and options["logprobs_mode"] == "processed_logprobs"
    assert (options["trust_remote_code"], options["load_format"]) == (False, "safetensors")


@pytest.mark.slow
def test_several_processes_are_refused(run: Runs) -> None:
    with pytest.raises(UserError, match=r"^rollout=vllm: samples on one GPU in one process.*rollout=server"):
        run("a", *FEW, "rollout=vllm", "parallel=replicate")
