"""Slots of a sweep: how many jobs run at once, and which processors and GPUs each may use."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tvo_cli import config as configuration
from tvo_cli.errors import UserError

Job = Sequence[str]  # its overrides

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Slot(NamedTuple):
    """A slot: a place where one job at a time runs."""

    number: int
    gpus: str | None  # a value of CUDA_VISIBLE_DEVICES; None leaves the environment alone
    threads: int  # of each of the job's processes

    def environment(self, outside: Mapping[str, str]) -> dict[str, str]:
        """The job's environment; a smaller number of threads asked for outside stands."""
        threads = {name: str(_threads_of_slot(outside.get(name), self.threads)) for name in THREADS}
        chosen = {} if self.gpus is None else {"CUDA_VISIBLE_DEVICES": self.gpus}
        return {**outside, **threads, **chosen}


def divide_into_slots(
    jobs: int,
    n_jobs: int | None,
    gpus: Sequence[object] | str | None,
    *,
    gpus_per_job: int = 1,
    on_cpu: bool = False,
    cores: int = 0,
) -> list[Slot]:
    """Divide the machine's processors and GPUs into slots for so many jobs of `gpus_per_job` processes.

    `n_jobs` None: one a group of GPUs, else one for as many processors as a job has processes. `gpus` "auto": those
    that can be seen, unless `on_cpu`. Slots take the groups in turn, so that more slots than groups share them.
    Threads: the processors divided among the processes of all slots.
    """
    if n_jobs is not None:
        _check_slot_count("n_jobs", n_jobs, ", or null")
    _check_slot_count("gpus_per_job", gpus_per_job)
    groups = _gpu_groups(_gpus_of_slots(gpus, on_cpu), gpus_per_job, required=gpus == "auto" and not on_cpu)
    processors = cores or processors_for_slots()
    count = max(1, min(n_jobs or len(groups) or processors // gpus_per_job, jobs))
    share = max(1, processors // (count * gpus_per_job))
    return [Slot(i, groups[i % len(groups)] if groups else None, share) for i in range(count)]


def _check_slot_count(name: str, value: object, otherwise: str = "") -> None:
    """Refuse what is no number of jobs or GPUs."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f"hydra.launcher.{name}", value, f"must be a whole number, more than 0{otherwise}.")


def _gpu_groups(devices: list[str], size: int, *, required: bool) -> list[str]:
    """Return values of CUDA_VISIBLE_DEVICES, each of `size` GPUs; every GPU is in one of them."""
    key = "hydra.launcher.gpus_per_job"
    if not devices and size > 1 and required:
        remedy = "Name them: 'hydra.launcher.gpus=[0,1]'; on processors alone take trainer.device=cpu."
        raise UserError(key, size, "no GPU can be seen here.", remedy)
    if len(devices) % size:
        fitting = ", ".join(str(n) for n in range(1, len(devices) + 1) if len(devices) % n == 0)
        remedy = f"Take one of {fitting}, or name others: hydra.launcher.gpus=[…]"
        raise UserError(key, size, f"does not divide the {len(devices)} GPUs ({', '.join(devices)}).", remedy)
    return [",".join(devices[begin : begin + size]) for begin in range(0, len(devices), size)]


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


def jobs_at_once(jobs: Sequence[Job]) -> int:
    """Return how many jobs of a sweep run side by side on this machine."""
    given = dict(map(configuration.split_override, jobs[0]))
    at_once, gpus = (given.get(f"hydra.launcher.{key}", "") for key in ("n_jobs", "gpus_per_job"))
    slots = divide_into_slots(
        len(jobs),
        int(at_once) if at_once.isdigit() else None,
        "auto",
        gpus_per_job=int(gpus) if gpus.isdigit() else 1,
        on_cpu=given.get("trainer.device") == "cpu",
    )
    return len(slots)
