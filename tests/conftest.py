"""Fixtures every test may use; nothing here touches the network or a GPU."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by torch when it is imported, here and in children

import pytest

from tests.time_guard import pytest_runtest_call  # noqa: F401  (a hook)

if TYPE_CHECKING:  # xdist's controller reads this file and needs no torch
    import torch

    from tvo_cli.types import Experience, Tokens

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # every process that a test starts would compile the package anew
sys.dont_write_bytecode = False

HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
for number in HEARD:  # what nohup or a background job had ignored would stay ignored in every child
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Each worker takes a half in order, so that tests of a file share what they share, and then from the other's."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from walking over what stays: torch, thousands of tests, and composed configs."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 1_000)  # a sixth of a session's time otherwise


@pytest.fixture(scope="session", autouse=True)
def composed_once() -> Iterator[None]:
    """Each command's config is composed once a session and copied: a command composes twice, tests a thousand times."""
    from tests import composing

    with pytest.MonkeyPatch.context() as patch:
        composing.remember(patch)
        yield


@pytest.fixture(scope="session", autouse=True)
def command_line_read_once() -> Iterator[None]:
    """Typer reads the signatures of all commands at every call of the app, 20 ms; they never change."""
    import typer.main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """No power fails in a test: what is flushed need not reach the disk, which takes 5 ms a file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda descriptor: None)
        yield


@pytest.fixture(autouse=True)
def no_signal_left_behind() -> Iterator[None]:
    """A handler that a test leaves would be its neighbours' and, where it ignores, their children's."""
    before = [signal.getsignal(number) for number in HEARD]
    yield
    assert [signal.getsignal(number) for number in HEARD] == before, "a test left a signal handler behind"


@pytest.fixture(autouse=True)
def no_job_left_behind() -> Iterator[None]:
    """Hydra keeps the config of the last job for the whole process; a later test must not find it."""
    yield
    if state := sys.modules.get("hydra.core.hydra_config"):
        state.HydraConfig.instance().cfg = None


@pytest.fixture
def shared() -> Path:
    """The folder of MATH and AIME copies, where there is one."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/data")
    return SHARED


@pytest.fixture
def shared_cases() -> Path:
    """The folder of cases that reports and real completions showed, where there is one."""
    folder = SHARED.parent / "cases"
    if not folder.is_dir():
        pytest.skip("needs ../shared/cases")
    return folder


@pytest.fixture
def make_tokens() -> Callable[..., Tokens]:
    """A minibatch of 4 responses of up to 6 tokens over 5 words, a little off-policy, in float64."""
    from tvo_cli.experiment.contract.contract_samples import sample_tokens

    return sample_tokens


@pytest.fixture
def f0() -> dict[str, torch.Tensor]:
    """Fixture F0 of the methods' specification: four responses of two prompts, off-policy."""
    import torch

    double: dict[str, Any] = {"dtype": torch.float64}
    old = torch.tensor([[-0.1, -1.0, -2.0], [-0.5, -0.2, 0], [-0.3, -1.5, -0.7], [-0.05, 0, 0]], **double)
    step = torch.tensor([[0.05, 0.4, -0.3], [-0.4, 0.1, 0], [0, 0.2, -0.1], [0.02, 0, 0]], **double)
    reference = torch.tensor([[-0.1, 0.2, 0], [0, 0, 0], [0.1, 0, 0], [0, 0, 0]], **double)
    return {
        "mask": torch.tensor([[1, 1, 1], [1, 1, 0], [1, 1, 1], [1, 0, 0]], dtype=torch.bool),
        "rewards": torch.tensor([1.0, 0.0, 0.0, 1.0], dtype=torch.float64),
        "group": torch.tensor([0, 0, 1, 1]),
        "old": old,
        "logp": old + step,
        "ref": old + reference,
        "entropy": torch.tensor([[0.3, 1.2, 2.1], [0.8, 0.4, 0], [0.6, 1.7, 0.9], [0.1, 0, 0]], **double),
    }


@pytest.fixture
def f0_experience(f0: dict[str, torch.Tensor]) -> Experience:
    """F0 as an estimator sees it."""
    import torch

    from tvo_cli.types import Experience

    return Experience(
        rewards=f0["rewards"],
        mask=f0["mask"],
        group=f0["group"],
        source=torch.zeros(4, dtype=torch.int64),
        old_logp=f0["old"],
        ref_logp=f0["ref"],
        old_entropy=f0["entropy"],
        correct=f0["rewards"] > 0.5,
    )
