"""A user's own function in this process (reward.isolated=false): what it does to the run's own state is undone."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tvo_cli.plugins.own_code_loading import load_callable
from tvo_cli.reward.function_call import CallOutcome, FunctionRequest, call_on_batch


class FunctionHere:
    """One function in this process; no deadline can end it."""

    def __init__(self, key: str, call: str) -> None:
        with run_state_kept():
            self._function = load_callable(key, call)
        self._outcome = CallOutcome([])

    def start(self) -> None:
        """It is there."""

    def send(self, request: FunctionRequest) -> None:
        """Call it."""
        with run_state_kept():
            self._outcome = call_on_batch(self._function, request)

    def receive(self) -> tuple[CallOutcome, str]:
        """The outcome of the call; what it printed was seen."""
        return self._outcome, ""

    def close(self) -> None:
        """Nothing is held."""


@contextmanager
def run_state_kept() -> Iterator[None]:
    """Put the random generators and the working folder back as they were: what a run samples must not depend on it."""
    folder, python = Path.cwd(), random.getstate()
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    drawn = numpy.random.get_state() if numpy else None
    tensors = (torch.get_rng_state(), _gpu_rng_states(torch)) if torch else None
    try:
        yield
    finally:
        os.chdir(folder)
        random.setstate(python)
        if numpy and drawn is not None:
            numpy.random.set_state(drawn)
        if torch and tensors is not None:
            torch.set_rng_state(tensors[0])
            if tensors[1]:
                torch.cuda.set_rng_state_all(tensors[1])


def _gpu_rng_states(torch: Any) -> list[Any]:
    """The generators of GPUs in use, given back after a user's function has run in this process."""
    return list(torch.cuda.get_rng_state_all()) if torch.cuda.is_available() and torch.cuda.is_initialized() else []
