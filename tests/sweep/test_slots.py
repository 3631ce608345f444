"""Processors and GPUs, divided."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tvo_cli.errors import UserError
from tvo_cli.sweep import slots
from tvo_cli.sweep.slots import Slot, divide_into_slots, visible_gpus


def test_without_gpus_one_job_a_processor_and_never_more_than_there_are_jobs() -> None:
    assert divide_into_slots(100, None, None, cores=8) == [Slot(i, None, 1) for i in range(8)]
    assert divide_into_slots(3, None, None, cores=8) == [Slot(i, None, 2) for i in range(3)]
    assert divide_into_slots(100, 3, None, cores=8) == [Slot(i, None, 2) for i in range(3)]
    assert divide_into_slots(100, 20, None, cores=8)[19] == Slot(19, None, 1)


def test_one_job_a_gpu_and_more_slots_share_them_in_turn() -> None:
    assert divide_into_slots(9, None, [0, 3], cores=8) == [Slot(0, "0", 4), Slot(1, "3", 4)]
    assert [slot.gpus for slot in divide_into_slots(9, 4, [0, 3], cores=8)] == ["0", "3", "0", "3"]


def test_a_job_of_several_gpus_has_a_group_of_them_and_a_share_of_the_threads_for_each_process() -> None:
    assert divide_into_slots(9, None, range(4), gpus_per_job=2, cores=8) == [Slot(0, "0,1", 2), Slot(1, "2,3", 2)]
    assert divide_into_slots(9, None, range(4), gpus_per_job=4, cores=8) == [Slot(0, "0,1,2,3", 2)]
    shared = divide_into_slots(9, 3, [0, 3, "GPU-ab", 5], gpus_per_job=2, cores=8)
    assert [slot.gpus for slot in shared] == ["0,3", "GPU-ab,5", "0,3"]
    assert shared[0].environment({})["CUDA_VISIBLE_DEVICES"] == "0,3"


def test_without_gpus_a_job_has_a_processor_for_each_process() -> None:
    assert divide_into_slots(9, None, "auto", gpus_per_job=2, on_cpu=True, cores=8) == [
        Slot(i, None, 1) for i in range(4)
    ]
    assert divide_into_slots(9, 1, None, gpus_per_job=2, cores=8) == [Slot(0, None, 4)]
    assert len(divide_into_slots(9, None, None, gpus_per_job=4, cores=2)) == 1


@pytest.mark.parametrize(
    ("visible", "size", "said"),
    [
        ("0,1,2,3,4,5", 4, r"gpus_per_job=4: does not divide the 6 GPUs \(0, 1, .*\)\. Take one of 1, 2, 3, 6,"),
        ("0", 2, r"gpus_per_job=2: does not divide the 1 GPUs \(0\)\. Take one of 1,"),
        ("", 2, r"gpus_per_job=2: no GPU can be seen here\. Name them"),
        ("0,1", 0, r"gpus_per_job=0: must be a whole number, more than 0\.$"),
        ("0,1", True, r"gpus_per_job=True: must be a whole number"),
    ],
)
def test_gpus_that_do_not_divide_into_jobs_are_refused(
    monkeypatch: pytest.MonkeyPatch, visible: str, size: int, said: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(UserError, match=said):
        divide_into_slots(4, None, "auto", gpus_per_job=size, cores=8)


def test_gpus_are_those_one_may_see(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "2, GPU-ab"}) == ["2", "GPU-ab"]
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": ""}) == [] == visible_gpus({"CUDA_VISIBLE_DEVICES": "-1"})
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: H200 (UUID: GPU-1)'\necho '  MIG 1g (UUID: x)'\necho 'GPU 1: H200'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus({}) == ["0", "1"]
    assert divide_into_slots(9, None, "auto", cores=8) == [Slot(0, "0", 4), Slot(1, "1", 4)]
    assert len(divide_into_slots(9, None, "auto", on_cpu=True, cores=8)) == 8


def test_a_job_gets_its_gpu_and_its_share_of_threads_and_less_stays_less() -> None:
    found = Slot(0, "3", 4).environment({"HOME": "/h", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "16"})
    assert found == {
        "HOME": "/h",
        "CUDA_VISIBLE_DEVICES": "3",
        "OMP_NUM_THREADS": "2",
        "MKL_NUM_THREADS": "4",
        "OPENBLAS_NUM_THREADS": "4",
    }
    assert Slot(0, None, 1).environment({"CUDA_VISIBLE_DEVICES": "5"})["CUDA_VISIBLE_DEVICES"] == "5"


@pytest.mark.parametrize(("text", "found"), [("200000 100000", 2), ("50000 100000", 1), ("max 100000", None)])
def test_a_containers_quota_counts(tmp_path: Path, text: str, found: int | None) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert slots._cgroup_processors_for_slots(tmp_path / "cpu.max") == found


@pytest.mark.parametrize(("jobs", "gpus", "said"), [(0, None, "n_jobs=0"), (True, None, "n_jobs"), (1, "0", "gpus=0")])
def test_nonsense_is_refused(jobs: int, gpus: str | None, said: str) -> None:
    with pytest.raises(UserError, match=said):
        divide_into_slots(4, jobs, gpus, cores=2)
