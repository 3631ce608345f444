"""Which start of a Slurm job this process belongs to: once a job is requeued, its earlier starts are over."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

JOB = {"job": "SLURM_JOB_ID", "cluster": "SLURM_CLUSTER_NAME"}  # of an array, each task has a job id of its own
RESTARTS = "SLURM_RESTART_COUNT"  # absent in the first start


def slurm_start(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the job, its cluster and how often it was started before; empty outside of Slurm."""
    if JOB["job"] not in environment:
        return {}
    restarts = environment.get(RESTARTS, "0")
    job = {name: environment.get(variable, "") for name, variable in JOB.items()}
    return {**job, "restarts": int(restarts) if restarts.isdigit() else 0}


def is_over_by_requeue(told: object, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether what a run has told of its start is an earlier one of this process's own job.

    Slurm starts a job again only after it has ended the processes of the start before, or has given up their machine.
    Of the same start, nothing is known: a job may have several steps at once.
    """
    own = slurm_start(environment)
    if not own or not isinstance(told, Mapping) or not isinstance(told.get("restarts"), int):
        return False
    return all(told.get(name) == own[name] for name in JOB) and bool(told["restarts"] < own["restarts"])
