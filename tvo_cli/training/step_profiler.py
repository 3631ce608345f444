"""torch's profile of chosen steps: a trace for chrome://tracing or Perfetto, and a table of the slowest operations.

RUN/profile/step-000003.json.gz and step-000003.txt. Numbers of the run stay as they are, its times do not: what a
profiled step takes includes the profiler.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from tvo_cli.checkpoint.checkpoint_folders import checkpoint_name
from tvo_cli.tracking import atomic_files
from tvo_cli.training.session import Session

log = logging.getLogger("tvo")
FOLDER = "profile"
ROWS = 20  # of the table


def warn_of_steps_never_profiled(session: Session) -> None:
    """Say which of the steps asked for are not among those to come."""
    done, steps = session.counters.step, session.limits.steps
    missed = [step for step in session.limits.profiled if not done < step <= steps]
    if missed and done < steps:
        log.warning("trainer.profile=%s: steps %d to %d are to come, others have no profile", missed, done + 1, steps)


@contextmanager
def profiled_if_asked(session: Session) -> Iterator[None]:
    """Profile the step that is taken inside, where it is asked for; one that ends early has no profile."""
    step = session.counters.step + 1
    if step not in session.limits.profiled or not session.ranks.is_first:
        yield
        return
    if session.work is not None:
        log.warning("the profile of step %d lacks what an earlier process did of it", step)
    device = session.learner.runtime.device
    with profile(activities=_activities(device)) as profiler:
        yield
    _write_profile(profiler, session.folder / FOLDER, checkpoint_name(step), device)


def _activities(device: torch.device) -> list[ProfilerActivity]:
    """What torch's profiler looks at on a device."""
    return [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]


def _write_profile(profiler: profile, folder: Path, name: str, device: torch.device) -> None:
    """Write both files; a full disk costs the profile, not the run."""
    order = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        table = profiler.key_averages().table(sort_by=order, row_limit=ROWS)
        atomic_files.write_text_atomically(folder / f"{name}.txt", table)
        profiler.export_chrome_trace(str(folder / f"{name}.json.gz"))
    except OSError as error:
        log.warning("the profile of %s could not be written: %s", name, error)
        return
    log.info("profile of %s: %s", name, folder / f"{name}.txt")
