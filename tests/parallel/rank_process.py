"""A rank of a pair that tests keep: it runs one case after another, as its standard input names them.

A line in: {"folder", "overrides", "strategy", "fault"}; a line out: {"outcome", "text"}.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from tests.stand_in_transport import transports_on_a_cpu
from tvo_cli import config
from tvo_cli.checkpoint import checkpoint_writer
from tvo_cli.experiment import train
from tvo_cli.parallel.launched_process import launched_process
from tvo_cli.parallel.process_group import ProcessGroup
from tvo_cli.parallel.ranks import Ranks
from tvo_cli.training import training_loop
from tvo_cli.training.update import learner, minibatch_forward, minibatch_gradient

TIMEOUT = 60.0  # a pair whose ranks have parted does not keep the tests waiting for longer


def main() -> None:
    """Meet the other rank and run what is asked for until the input ends."""
    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a run prints
    with ProcessGroup.meet(launched_process()).joined(TIMEOUT, "cpu") as ranks:
        for line in sys.stdin:
            print(json.dumps(_run_case(json.loads(line), ranks)), file=answers, flush=True)


def _run_case(case: dict[str, Any], ranks: Ranks) -> dict[str, str]:
    chosen = OmegaConf.create(case["config"])
    try:
        with _fault(case.get("fault"), ranks.rank), transports_on_a_cpu(Path(chosen.output_dir).parent / "shared"):
            train(chosen, replace(ranks, sharded=chosen.parallel.strategy == "shard"))
    except Exception as error:
        return {"outcome": type(error).__name__, "text": str(error)}
    return {"outcome": "finished", "text": ""}


@contextmanager
def _fault(named: dict[str, Any] | None, rank: int) -> Iterator[None]:
    """What happens on one rank before its update of that number, counted over the run."""
    if named is None or named["rank"] != rank:
        yield
        return
    module, name = PLACES[named["kind"]]
    inner, left = getattr(module, name), [named["at"]]

    def acting(*given: Any, **more: Any) -> Any:
        left[0] -= 1
        return FAULTS[named["kind"]](inner, left[0] == 0, *given, **more)

    setattr(module, name, acting)
    try:
        yield
    finally:
        setattr(module, name, inner)


def _signal(inner: Callable[..., Any], now: bool, *given: Any, **more: Any) -> Any:
    found = inner(*given, **more)
    if now:
        signal.raise_signal(signal.SIGUSR1)
    return found


def _not_a_number(inner: Callable[..., Any], now: bool, *given: Any, **more: Any) -> Any:
    found = inner(*given, **more)
    return "log-prob" if now else found


def _drift(inner: Callable[..., Any], now: bool, session: Any, *given: Any, **more: Any) -> Any:
    if now:
        session.smoother.signal += 1.0
    return inner(session, *given, **more)


def _out_of_memory(inner: Callable[..., Any], now: bool, *given: Any, **more: Any) -> Any:
    if now:
        raise torch.OutOfMemoryError("CUDA out of memory.")
    return inner(*given, **more)


def _other_memory(inner: Callable[..., Any], now: bool, *given: Any, **more: Any) -> Any:
    return inner(*given, **more) | {"memory/peak": 1e6}


def _full_disk(inner: Callable[..., Any], now: bool, *given: Any, **more: Any) -> Any:
    if now:
        raise OSError(errno.ENOSPC, "No space left on device")
    return inner(*given, **more)


PLACES: dict[str, tuple[Any, str]] = {
    "signal": (training_loop, "update_policy"),
    "not a number": (minibatch_gradient, "_non_finite_in_update"),
    "drift": (training_loop, "check_same_state"),
    "full disk": (checkpoint_writer, "write_tensors"),
    "out of memory": (minibatch_gradient, "backward_through_network"),
    "out of memory before": (minibatch_forward, "forward_rows"),
    "out of memory of the critic": (learner, "clipped_value_loss"),
    "other memory": (training_loop, "peak_memory_metrics"),
}
FAULTS: dict[str, Callable[..., Any]] = {
    "signal": _signal,
    "not a number": _not_a_number,
    "drift": _drift,
    "full disk": _full_disk,
    "out of memory": _out_of_memory,
    "out of memory before": _out_of_memory,
    "out of memory of the critic": _out_of_memory,
    "other memory": _other_memory,
}

if __name__ == "__main__":
    config.register_resolvers()
    main()
