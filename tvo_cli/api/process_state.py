"""The state of the caller's process, given back after a run: random generators, torch, logging, environment."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def process_state_kept() -> Iterator[None]:
    """Inside, a run may seed, set up and configure what it needs; outside, all is as it was."""
    with ExitStack() as kept:
        for one in (
            _environment_kept,
            _logger_kept,
            _random_generators_kept,
            _torch_settings_kept,
            _accelerate_state_kept,
            _progress_bars_kept,
        ):
            kept.enter_context(one())
        yield


@contextmanager
def _environment_kept() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update({name: value for name, value in before.items() if os.environ.get(name) != value})


@contextmanager
def _logger_kept() -> Iterator[None]:
    ours = logging.getLogger("tvo")
    before = ours.level
    try:
        yield
    finally:
        ours.setLevel(before)


@contextmanager
def _random_generators_kept() -> Iterator[None]:
    """Keep the states of Python's, numpy's and torch's own generators, those of every GPU too."""
    import numpy as np
    import torch

    python, arrays = random.getstate(), np.random.get_state(legacy=False)
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_available() else range(0)
    try:
        with torch.random.fork_rng(devices=gpus):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)


@contextmanager
def _torch_settings_kept() -> Iterator[None]:
    import torch

    deterministic = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic[0], warn_only=deterministic[1])
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)


@contextmanager
def _accelerate_state_kept() -> Iterator[None]:
    from tvo_cli.training.device_and_precision import accelerate_state_kept

    with accelerate_state_kept():
        yield


@contextmanager
def _progress_bars_kept() -> Iterator[None]:
    """Inside, transformers' progress bars are hidden; afterwards they are as the caller's process had them."""
    from transformers.utils import logging as transformers_logging

    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
