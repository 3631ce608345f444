"""A run small enough for a test: four batches of 16 rollouts on the embedded task."""

from __future__ import annotations

import hashlib
import json
import pickle
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from accelerate.state import AcceleratorState
from omegaconf import DictConfig, OmegaConf
from safetensors.torch import load_file

from tvo_cli import config
from tvo_cli.checkpoint import checkpoint_damage
from tvo_cli.experiment import train
from tvo_cli.training import training_loop
from tvo_cli.training.stop_signals import Interrupted
from tvo_cli.training.update import policy_update

if TYPE_CHECKING:
    from torch import Tensor

    from tvo_cli.stability.collapse_watch import CollapseAction
    from tvo_cli.training.batch import RolloutBatch, SampledBatch
    from tvo_cli.training.session import Session
    from tvo_cli.training.step_state import StepInProgress
    from tvo_cli.training.stop_signals import StopRequest
    from tvo_cli.training.update.learner import Learner

SMALL = (
    *("logger=none", "logger.console=off", "evaluation=off", "trainer.threads=1", "trainer.checkpoint_every=0"),
    "trainer.variance_parts=2",
    *("rollout.prompts=8", "rollout.samples=2", "rollout.epochs=2", "rollout.minibatches=2", "trainer.steps=4"),
)

OF_ALGORITHM = {"algorithm=ettrl": ("rollout.samples=4",)}  # a vote of two tells nothing apart

Whole = Callable[..., Path]  # of overrides
Checksum = Callable[..., str]  # of a run folder and a step
MetricRows = Callable[[Path], list[dict[str, float]]]


@lru_cache(maxsize=256)
def _composed(overrides: tuple[str, ...]) -> bytes:
    own = [word for one in overrides for word in OF_ALGORITHM.get(one, ())]
    made = config.compose([*SMALL, *own, *overrides, "output_dir=x"])
    return pickle.dumps(OmegaConf.create(config.resolved_tree(made)))


def composed(overrides: tuple[str, ...]) -> DictConfig:
    """Composing takes as long as a small step: once for each command, with every reference in it resolved."""
    found: DictConfig = pickle.loads(_composed(overrides))
    return found


def train_in(folder: Path, overrides: tuple[str, ...]) -> Path:
    """Train in a folder; the folder."""
    chosen = composed(overrides)
    chosen.output_dir = str(folder)
    if "folder" in chosen.rollout:  # resolved with the output_dir of `composed`, which all processes would share
        chosen.rollout.folder = str(folder / "served")
    train(chosen)
    return folder


def trained_policy(folder: Path, step: int = 1) -> dict[str, Tensor]:
    """The weights in the checkpoint of a step."""
    return load_file(folder / "checkpoints" / f"step-{step:06d}" / "policy" / "model.safetensors")


def largest_difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Between any two weights of the same name and place."""
    return max(float((one[name] - other[name]).abs().max()) for name in one)


@contextmanager
def before_each_update(act: Callable[[StepInProgress], object]) -> Iterator[None]:
    """Have something happen before every update of a run."""
    take = policy_update.update_policy

    def acting(learner: Learner, work: StepInProgress, *rest: Any) -> bool:
        act(work)
        return take(learner, work, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_loop, "update_policy", acting)
        yield


@dataclass(frozen=True)
class Runs:
    """`runs("a", "trainer.steps=1")` trains in the folder `a` of the root; the run folder."""

    root: Path

    def __call__(self, name: str, *overrides: str) -> Path:
        return train_in(self.root / name, overrides)


@pytest.fixture
def run(tmp_path: Path) -> Runs:
    """Train in a folder of the test's own."""
    return Runs(tmp_path)


@pytest.fixture(scope="session")
def kept() -> dict[tuple[str, ...], Path]:
    """The runs that tests share, by what was asked of them."""
    return {}


@pytest.fixture
def whole(kept: dict[tuple[str, ...], Path], tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The folder of a run that nothing disturbed, trained once for all tests: to be read, not written in."""

    def found(*overrides: str) -> Path:
        if overrides not in kept:
            kept[overrides] = train_in(tmp_path_factory.mktemp("whole") / "run", overrides)
        return kept[overrides]

    return found


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `tvo train` draws at its end takes longer than a small run."""
    monkeypatch.setattr("tvo_cli.report.run_plot.draw_run_figure", lambda run: [])


@pytest.fixture
def pulled(run: Runs, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Train until the plug is pulled, before the batch after the first `after` ones."""
    train_step = training_loop.train_step

    def go(name: str, *overrides: str, after: int) -> None:
        left = [after]

        def until(session: Session, interrupted: StopRequest) -> CollapseAction:
            if not left[0]:
                raise RuntimeError("the plug was pulled")
            left[0] -= 1
            return train_step(session, interrupted)

        with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="plug"):
            patch.setattr(training_loop, "train_step", until)
            run(name, *overrides)

    return go


@pytest.fixture
def resumed(run: Runs, pulled: Callable[..., None]) -> Callable[..., Path]:
    """A run that is pulled and then goes on to its end; its folder."""

    def go(name: str, *overrides: str, after: int) -> Path:
        pulled(name, *overrides, after=after)
        return run(name, *overrides)

    return go


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[RolloutBatch]:
    """Every batch that a run learns from."""
    seen: list[RolloutBatch] = []
    assemble: Any = training_loop.assemble_batch  # type: ignore[attr-defined]

    def spy(session: Session, drawn: SampledBatch) -> RolloutBatch:
        seen.append(assemble(session, drawn))
        return seen[-1]

    monkeypatch.setattr(training_loop, "assemble_batch", spy)
    return seen


@pytest.fixture
def weights() -> Checksum:
    """Checksum of a checkpoint's weights, optimiser, critic and state."""

    def digest(folder: Path, step: int = 4) -> str:
        place = folder / "checkpoints" / f"step-{step:06d}"
        files = [*place.glob("policy/*.safetensors"), *sorted(place.glob("*.safetensors")), place / "state.json"]
        return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()

    return digest


@pytest.fixture
def steps() -> MetricRows:
    """The rows of metrics.jsonl without what the clock and the memory say."""

    def rows(folder: Path) -> list[dict[str, float]]:
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        return [{k: v for k, v in json.loads(line).items() if not k.startswith(("time/", "memory/"))} for line in lines]

    return rows


@pytest.fixture
def another_precision() -> Iterator[None]:
    """Accelerate keeps one precision a process."""
    AcceleratorState._reset_state()
    yield
    AcceleratorState._reset_state()


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let a SIGTERM arrive during the update of that number, counted over the process; returns the setter."""
    taken, at = [0], [0]
    take = policy_update.update_policy

    def taking(*args: Any) -> bool:
        goes_on = take(*args)
        taken[0] += 1
        if taken[0] == at[0]:
            signal.raise_signal(signal.SIGTERM)
        return goes_on

    monkeypatch.setattr(training_loop, "update_policy", taking)

    def arrange(count: int) -> None:
        taken[0], at[0] = 0, count

    return arrange


@pytest.fixture
def in_pieces(run: Runs, stop_after: Callable[[int], None]) -> Callable[..., tuple[Path, int]]:
    """A run that is stopped after each `piece` updates and started again by the same command, until it is done."""

    def go(name: str, *overrides: str, piece: int = 1, most: int = 4) -> tuple[Path, int]:
        for stops in range(most + 1):
            stop_after(piece)
            try:
                return run(name, *overrides), stops
            except Interrupted as stopped:
                assert not checkpoint_damage.find_damage(stopped.checkpoint)
        raise AssertionError("it never ends")

    return go
