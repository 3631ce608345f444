"""Slots of a sweep: how many jobs run at once, and which processors and GPUs each may use."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tvo_cli.errors import UserError

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Slot(NamedTuple):
    """A slot: a place where one job at a time runs."""

    number: int
    gpu: str | None  # an entry of CUDA_VISIBLE_DEVICES; None leaves the environment alone
    threads: int

    def environment(self, outside: Mapping[str, str]) -> dict[str, str]:
        """The job's environment; a smaller number of threads asked for outside stands."""
        threads = {name: str(_threads_of_slot(outside.get(name), self.threads)) for name in THREADS}
        chosen = {} if self.gpu is None else {"CUDA_VISIBLE_DEVICES": self.gpu}
        return {**outside, **threads, **chosen}


def divide_into_slots(
    jobs: int, n_jobs: int | None, gpus: Sequence[object] | str | None, *, on_cpu: bool = False, cores: int = 0
) -> list[Slot]:
    """Divide the machine's processors and GPUs into slots for so many jobs.

    `n_jobs` None: one a GPU, else one a processor. `gpus` "auto": those that can be seen, unless `on_cpu`. Slots
    take the GPUs in turn, so that more slots than GPUs share them. Threads: the processors divided among slots.
    """
    if n_jobs is not None and (isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs < 1):
        raise UserError("hydra.launcher.n_jobs", n_jobs, "must be a whole number, more than 0, or null.")
    devices = _gpus_of_slots(gpus, on_cpu)
    processors = cores or processors_for_slots()
    count = max(1, min(n_jobs or len(devices) or processors, jobs))
    share = max(1, processors // count)
    return [Slot(i, devices[i % len(devices)] if devices else None, share) for i in range(count)]


def _gpus_of_slots(gpus: Sequence[object] | str | None, on_cpu: bool) -> list[str]:
    if gpus is None:
        return []
    if gpus == "auto":
        return [] if on_cpu else visible_gpus(os.environ)
    if isinstance(gpus, str):
        raise UserError("hydra.launcher.gpus", gpus, "must be auto, null or a list.", "'hydra.launcher.gpus=[0,1]'")
    return [str(gpu) for gpu in gpus]


def visible_gpus(outside: Mapping[str, str]) -> list[str]:
    """Return the GPUs that slots may have: of CUDA_VISIBLE_DEVICES, else what nvidia-smi lists. Without torch."""
    said = outside.get("CUDA_VISIBLE_DEVICES")
    if said is not None:
        return [part.strip() for part in said.split(",") if part.strip() not in ("", "-1")]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
    return [str(index) for index in range(len(lines))] if listed.returncode == 0 else []


def processors_for_slots() -> int:
    """Return the processors that this process may use: its affinity, and a container's quota."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, _cgroup_processors_for_slots(Path("/sys/fs/cgroup/cpu.max")) or allowed))


def _cgroup_processors_for_slots(path: Path) -> int | None:
    """Return the whole processors of a cgroup's quota (`200000 100000` is 2); None without one."""
    try:
        quota, period = path.read_text(encoding="utf-8").split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return None


def _threads_of_slot(said: str | None, share: int) -> int:
    """Return the threads of a slot's job; a smaller number asked for outside stands."""
    return min(int(said), share) if said is not None and said.isdigit() and int(said) > 0 else share
