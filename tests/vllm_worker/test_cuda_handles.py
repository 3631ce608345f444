"""Handles of tensors on a GPU as JSON, and the worker's side; without a GPU, torch's own makers are replaced."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.multiprocessing import reductions

from tvo_cli.vllm_worker.cuda_handles import FIELDS, export_cuda_tensor, open_cuda_tensor
from tvo_cli.vllm_worker.shared_weights import SharedWeights

TENSOR = torch.arange(6.0).view(2, 3)
GIVEN = (
    *(torch.Tensor, torch.Size([2, 3]), (3, 1), 0, torch.storage.TypedStorage, torch.float32, 1, b"\x00handle\xff"),
    *(24, 512, False, b"counter", 3, b"event\x80", True),
)
GPU = torch.device("cuda", 0)


@pytest.fixture(autouse=True)
def gpu(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A GPU whose memory is not there: what rebuilds a tensor from it gives what it was asked for."""
    found: dict[str, Any] = {"uuid": "GPU-1"}
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid=found["uuid"]))
    monkeypatch.setattr(reductions, "reduce_tensor", lambda tensor: (reductions.rebuild_cuda_tensor, GIVEN))

    def rebuild(*given: Any) -> torch.Tensor:
        found["given"] = given
        return TENSOR

    monkeypatch.setattr(reductions, "rebuild_cuda_tensor", rebuild)
    return found


def test_the_fields_are_the_arguments_that_torch_rebuilds_a_tensor_from() -> None:
    named = list(inspect.signature(inspect.unwrap(ORIGINAL)).parameters)
    assert len(named) == 1 + len(FIELDS)
    for field, name in (("size", "tensor_size"), ("handle", "storage_handle"), ("device", "storage_device")):
        assert named[1 + FIELDS.index(field)] == name
    assert named[1 + FIELDS.index("counter")] == "ref_counter_handle"
    assert named[1 + FIELDS.index("event")] == "event_handle"


ORIGINAL = reductions.rebuild_cuda_tensor


def test_a_handle_goes_over_the_wire_as_json_and_opens_on_the_receivers_device(gpu: dict[str, Any]) -> None:
    told = json.loads(json.dumps(export_cuda_tensor(TENSOR)))
    assert open_cuda_tensor(told, torch.float32, GPU) is TENSOR
    expected = list(GIVEN)
    expected[6] = 0  # the device's number is the receiver's
    assert gpu["given"] == tuple(expected)


def test_weights_on_another_gpu_are_refused(gpu: dict[str, Any]) -> None:
    told = export_cuda_tensor(TENSOR)
    gpu["uuid"] = "GPU-2"
    with pytest.raises(ValueError, match="lie on the GPU GPU-1, and this worker runs on GPU-2"):
        open_cuda_tensor(told, torch.float32, GPU)


def test_a_worker_loads_what_it_opens_by_vllms_own_method() -> None:
    class Worker(SharedWeights):
        device = torch.device("cpu")
        loaded: dict[str, torch.Tensor]

        def open_shared(self, handle: dict[str, Any], dtype: torch.dtype) -> torch.Tensor:
            return torch.full((2,), handle["value"], dtype=dtype)

        def reload_weights(self, weights_iterator: Any) -> None:
            self.loaded = dict(weights_iterator)

    worker = Worker()
    worker.load_shared_weights([{"name": "a", "dtype": "bfloat16", "handle": {"value": 2}}])
    assert torch.equal(worker.loaded["a"], torch.full((2,), 2.0, dtype=torch.bfloat16))


def test_it_adds_no_attribute_that_a_worker_has_already() -> None:
    """vLLM refuses to mix in a class that has."""
    assert {name for name in dir(SharedWeights) if not name.startswith("__")} == {"load_shared_weights", "open_shared"}


@pytest.mark.slow
def test_it_needs_nothing_of_this_program_in_a_servers_environment(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    code = (
        "import sys; import tvo_cli.vllm_worker.shared_weights; "
        "print(sorted(name for name in sys.modules if name.startswith(('tvo_cli', 'omegaconf', 'hydra'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(
        ["tvo_cli", "tvo_cli.vllm_worker", "tvo_cli.vllm_worker.cuda_handles", "tvo_cli.vllm_worker.shared_weights"]
    )
