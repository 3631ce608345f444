"""A pair of ranks that is started once and trains what tests ask for; and one process beside it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.training.conftest import composed, train_in
from tvo_cli import config
from tvo_cli.checkpoint import checkpoint_folders

# A minibatch of two micro-batches, and as many rows decoded at once as a rank has: one sum of two addends, which is
# the same in either order.
EXACT = (
    *("rollout.prompts=4", "rollout.samples=4", "rollout.minibatches=2", "rollout.epochs=2", "trainer.steps=2"),
    *("trainer.variance_parts=2", "trainer.microbatch_rows=4", "rollout.batch_size=8", "seed=3"),
)
TIMES = ("time/", "memory/")


@dataclass
class Pair:
    """Two processes that train what they are told."""

    processes: list[subprocess.Popen[str]]
    root: Path
    known: dict[tuple[str, ...], Path] = field(default_factory=dict)

    def train(
        self, name: str, *overrides: str, fault: dict[str, Any] | None = None
    ) -> tuple[Path, list[dict[str, str]]]:
        """The run folder, and how each rank's run ended."""
        chosen = composed(overrides)
        chosen.output_dir = str(self.root / name)
        case = json.dumps({"config": config.resolved_tree(chosen), "fault": fault})
        for process in self.processes:
            assert process.stdin is not None
            print(case, file=process.stdin, flush=True)
        return self.root / name, [json.loads(process.stdout.readline()) for process in self.processes if process.stdout]

    def finished(self, name: str, *overrides: str) -> Path:
        """The folder of a run that both ranks finished."""
        folder, outcomes = self.train(name, *overrides)
        assert outcomes == [{"outcome": "finished", "text": ""}] * 2
        return folder

    def alone(self, *overrides: str) -> Path:
        """The folder of the same run in one process, trained once."""
        if overrides not in self.known:
            self.known[overrides] = train_in(self.root / f"alone-{len(self.known)}", overrides)
        return self.known[overrides]


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two ranks that have met."""
    processes = [_start_rank(rank, port) for port in [free_port()] for rank in range(2)]
    yield Pair(processes, tmp_path_factory.mktemp("pair"))
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    for process in processes:
        process.wait(timeout=60)


def free_port() -> str:
    """A port that nobody uses now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def _start_rank(rank: int, port: str) -> subprocess.Popen[str]:
    place: dict[str, object] = {"RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": 2}
    place |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.parallel.rank_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {name: str(value) for name, value in place.items()},
    )


def rows_of(folder: Path) -> list[dict[str, float]]:
    """The metrics of a run, without times."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if not name.startswith(TIMES)} for row in rows]


def tensors_of(folder: Path) -> dict[str, Any]:
    """All tensors of the newest checkpoint besides random streams: weights, moments, critic."""
    newest = checkpoint_folders.list_checkpoints(folder / "checkpoints")[-1]
    parts, _ = checkpoint_folders.load_checkpoint(newest)
    parts["policy"] = {}
    for file in (newest / "policy").glob("*.safetensors"):
        parts["policy"] |= load_file(file)
    return {f"{part}.{name}": value for part in parts if part != "streams" for name, value in parts[part].items()}


def assert_bit_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    """Every tensor, by name."""
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def far_metrics(some: list[dict[str, float]], others: list[dict[str, float]]) -> set[str]:
    """The metrics that differ by more than 1e-6, of what is larger than 1 relatively."""
    pairs = [(row, other, name) for row, other in zip(some, others, strict=True) for name in row.keys() | other.keys()]
    return {name for row, other, name in pairs if abs(row[name] - other[name]) > 1e-6 * max(1.0, abs(row[name]))}
