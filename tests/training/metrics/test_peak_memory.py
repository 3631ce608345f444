"""memory/peak: in bytes as the kernel counts them, and one of the metrics of every step."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import pytest
import torch

from tests.training.conftest import Whole
from tvo_cli.training.metrics import peak_memory


def test_the_kernels_count_is_in_units_of_1024_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "status").write_text("Name:\tpython\nVmPeak:\t  99 kB\nVmHWM:\t    2000 kB\nVmRSS:\t 1 kB\n")
    monkeypatch.setattr(peak_memory, "STATUS", tmp_path / "status")
    assert peak_memory.peak_of_process() == 2_048_000
    assert peak_memory.peak_memory_metrics(torch.device("cpu")) == {"memory/peak": 0.002048}


def test_without_it_the_systems_own_reading_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak_memory, "STATUS", tmp_path / "nothing")
    told = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    assert peak_memory.peak_of_process() == pytest.approx(told, rel=0.05)


@pytest.mark.slow
def test_every_step_has_it(whole: Whole) -> None:
    rows = map(json.loads, (whole() / "metrics.jsonl").read_text().splitlines())
    assert all(0.05 < row["memory/peak"] < 64 for row in rows if "reward/mean" in row)
