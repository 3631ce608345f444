"""Training whose weights go to the server from memory to memory, and every way in which that can go wrong.

By gloo where a GPU has NCCL, and by a mapped file where it has its own memory: tests/stand_in_transport.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.stand_in_server import (
    RELOAD,
    UPDATE,
    Fault,
    StandInServer,
    die_in_the_middle,
    hang,
    partly,
    refuse,
    serving,
    stale,
)
from tests.stand_in_transport import transports_on_a_cpu
from tests.training.conftest import Checksum, MetricRows, Runs
from tests.training.test_served_rollouts import FEW
from tests.training.test_served_rollouts import no_pause as no_pause
from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.errors import UserError

ROUTE = {"nccl": UPDATE, "ipc": RELOAD}


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with serving() as found:
        yield found


@pytest.fixture
def served(run: Runs, server: StandInServer, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """`served("nccl")` trains in a folder of that name."""

    def go(weights: str, *overrides: str) -> Path:
        words = (*FEW, "rollout=server", f"rollout.url={server.url}", f"rollout.weights={weights}")
        return run(weights, *words, *overrides)

    with transports_on_a_cpu(tmp_path / "shared"):
        yield go


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["disk", "nccl", "ipc"])
def test_it_is_what_disk_makes_of_it(
    served: Callable[..., Path], server: StandInServer, weights: str, steps: MetricRows
) -> None:
    rows = steps(served(weights))
    assert all(row["policy/mismatch_max"] < 1e-4 for row in rows)
    assert len(server.requests(ROUTE.get(weights, RELOAD))) == 2


@pytest.mark.slow
def test_the_run_is_the_same_to_the_bit_whatever_carries_the_weights(
    served: Callable[..., Path], server: StandInServer, weights: Checksum
) -> None:
    start = {name: tensor.clone() for name, tensor in server.policy.network.state_dict().items()}
    found = {}
    for name in ("disk", "nccl", "ipc"):
        server.policy.network.load_state_dict(start)
        found[name] = weights(served(name), 2)
    assert found["nccl"] == found["ipc"] == found["disk"]


STALE = [
    ("nccl", stale, "but earlier ones"),
    pytest.param("ipc", stale, "but earlier ones", marks=pytest.mark.slow),
    pytest.param("nccl", partly, "not loaded all of these weights", marks=pytest.mark.slow),
    pytest.param("ipc", partly, "not loaded all of these weights", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("weights", "fault", "said"), STALE)
def test_weights_that_did_not_arrive_stop_the_run(
    served: Callable[..., Path], server: StandInServer, run: Runs, weights: str, fault: Fault, said: str
) -> None:
    """As by disk: the server says that all is well, and the probe before the second batch says that it is not."""
    server.faults[ROUTE[weights]] = [None, fault]
    with pytest.raises(UserError, match=rf"^rollout\.url={server.url}: step 2: the server .*{said}"):
        served(weights, "optimizer.lr=1e-3")
    held = checkpoint_folders.list_checkpoints(run.root / weights / "checkpoints")
    assert [folder.name for folder in held] == ["step-000001"], "what was learned is kept, and no more is learned"


def not_there(*_: object) -> object:
    return 404, {"detail": "Not Found"}


def dropped(server: StandInServer, body: object, right: object) -> object:
    raise ConnectionAbortedError


CONFIGURED = r'Start it with --weight-transfer-config \'\{"backend": "gloo"\}\''
EXTENDED = r"Start it on the trainer's GPU, with --worker-extension-cls tvo_cli\.vllm_worker\.shared_weights\.Sh"
JOIN = "/init_weight_transfer_engine"
WRONG: dict[str, tuple[str, str, Fault, str]] = {
    "without the route": ("nccl", "/get_world_size", not_there, r"VLLM_SERVER_DEV_MODE=1"),
    "not configured": ("nccl", JOIN, refuse, rf"step 1: /init_.* failed with 500.*{CONFIGURED}"),
    "that refuses what comes": ("nccl", UPDATE, refuse, r"step 1: /update_weights failed with 500"),
    "that dies in the middle": ("nccl", UPDATE, die_in_the_middle, r"step 1: /update_weights cannot be reached"),
    "that hangs": ("nccl", UPDATE, hang, r"^rollout\.timeout=3: step 1: "),
    "that does not come": ("nccl", JOIN, hang, r"^rollout\.timeout=3: step 1: "),
    "that does not finish": ("nccl", "/finish_weight_update", refuse, r"step 1: /finish_weight_update failed with 500"),
    "without the extension": ("ipc", RELOAD, refuse, rf"step 1: /collective_rpc failed with 500.*{EXTENDED}"),
    "that is killed while it copies": ("ipc", RELOAD, dropped, r"step 1: /collective_rpc cannot be reached"),
}
FAST = ("that dies in the middle",)


@pytest.mark.parametrize(
    "kind", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in WRONG]
)
def test_a_server_that_is_wrong_stops_the_run_in_one_line_and_in_time(
    served: Callable[..., Path], server: StandInServer, run: Runs, kind: str
) -> None:
    weights, path, fault, said = WRONG[kind]
    server.faults[path] = [fault]
    begun = time.monotonic()
    with pytest.raises(UserError, match=said):
        served(weights, f"rollout.timeout={3 if 'rollout' in said else 60}")
    assert time.monotonic() - begun < 30
    assert len(server.requests(path)) == 1, "half an exchange is not asked for again"
    assert not checkpoint_folders.list_checkpoints(run.root / weights / "checkpoints"), "nothing was learned"


@pytest.mark.slow
def test_a_run_goes_on_with_a_server_that_was_started_anew(
    served: Callable[..., Path], server: StandInServer, weights: Checksum, run: Runs
) -> None:
    whole = weights(served("nccl"), 2)
    (run.root / "nccl").rename(run.root / "whole")
    server.faults[UPDATE] = [None, die_in_the_middle]
    with pytest.raises(UserError, match="step 2"):
        served("nccl")
    server.receiver.listens = False
    assert weights(served("nccl"), 2) == whole


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["nccl", "ipc"])
def test_an_adapter_is_merged_before_it_is_sent(
    served: Callable[..., Path], server: StandInServer, steps: MetricRows, weights: str
) -> None:
    pytest.importorskip("peft")
    before = {name: tensor.clone() for name, tensor in server.policy.network.state_dict().items()}
    rows = steps(served(weights, "adapter=lora", "optimizer.lr=1e-2"))
    assert all(row["policy/mismatch_max"] < 1e-4 for row in rows)
    assert [name for name, _, _ in server.receiver.order] == list(before), "no name of an adapter"
    moved = [not torch.equal(before[name], tensor) for name, tensor in server.policy.network.state_dict().items()]
    assert any(moved) and not all(moved), "the matrices under the adapter, and no other"


@pytest.mark.slow
def test_several_replicas_join_one_group(run: Runs, tmp_path: Path, steps: MetricRows) -> None:
    with serving() as one, serving() as other, transports_on_a_cpu(tmp_path / "shared"):
        both = f"rollout.url=[{one.url},{other.url}]"
        rows = steps(run("a", *FEW, "rollout=server", both, "rollout.weights=nccl"))
    assert [body["init_info"]["rank_offset"] for s in (one, other) for body in s.requests(JOIN)] == [1, 2]
    assert {body["init_info"]["world_size"] for s in (one, other) for body in s.requests(JOIN)} == {3}
    assert all(row["policy/mismatch_max"] < 1e-4 for row in rows)
    assert len(one.requests(UPDATE)) == len(other.requests(UPDATE)) == 2


@pytest.mark.parametrize("weights", ["nccl", pytest.param("ipc", marks=pytest.mark.slow)])
def test_without_a_gpu_they_are_refused(run: Runs, weights: str) -> None:
    said = rf"^rollout\.weights={weights}: goes from GPU to GPU, and this run is on cpu\. Take rollout\.weights=disk"
    with pytest.raises(UserError, match=said):
        run("a", *FEW, "rollout=server", f"rollout.weights={weights}", "trainer.device=cpu")
