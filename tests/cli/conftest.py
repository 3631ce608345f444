"""A stand-in for the composition root: the commands are tested without a model."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.grading import Done, Grade
from tvo_cli.cli.main import main

if TYPE_CHECKING:
    from tvo_cli.cli.derived_sizes import DerivedSizes


class Experiment(ModuleType):
    """`tvo_cli.experiment` that remembers the configs it was given and does what a test asks."""

    def __init__(self) -> None:
        super().__init__("tvo_cli.experiment")
        self.__path__ = [str(Path(main.__code__.co_filename).parents[1] / "experiment")]  # its checks before torch stay
        self.configs: list[Any] = []
        self.act: Callable[[Any], None] = lambda config: None

    def train(self, config: Any, ranks: object = None) -> dict[str, Any]:
        """A run of two steps, through the real tracker."""
        from omegaconf import OmegaConf

        from tvo_cli.tracking import Tracker

        self.configs.append(OmegaConf.create(OmegaConf.to_container(config, resolve=True)))
        self.act(config)
        with Tracker(config, Path(config.output_dir)) as tracker:
            for step in (1, 2):
                tracker.log(step, {"reward/mean": step / 4, "accuracy/fresh": step / 4})
            return tracker.finish({"steps": 2})

    def plan(self, config: Any, ranks: int = 0) -> DerivedSizes:
        """Two sizes, and nothing known of the disk."""
        from tvo_cli.cli.derived_sizes import DerivedSizes

        batch = config.rollout.prompts * config.rollout.samples
        return DerivedSizes({"rollouts_a_batch": (batch, "prompts × samples"), "steps": (7, "")}, None)


@pytest.fixture
def experiment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Experiment:
    """The stand-in, installed; the working folder is empty."""
    import tvo_cli

    made = Experiment()
    monkeypatch.setitem(sys.modules, "tvo_cli.experiment", made)
    monkeypatch.setattr(tvo_cli, "experiment", made, raising=False)
    monkeypatch.setattr("tvo_cli.cli.progress_bars.hide_transformers_progress_bars", lambda: None)
    monkeypatch.setattr(
        "tvo_cli.cli.startup_message.announce_on_stderr", lambda command, doing: None
    )  # nothing is loaded
    monkeypatch.setattr("tvo_cli.cli.dry_run.dry_run_sizes", made.plan)
    monkeypatch.setattr("tvo_cli.report.run_plot.draw_run_figure", lambda run: [])
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def grade(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Grade:
    def graded(content: bytes | list[dict[str, Any]], *words: str) -> Done:
        path = tmp_path / "rows.jsonl"
        data = content if isinstance(content, bytes) else "".join(json.dumps(row) + "\n" for row in content).encode()
        path.write_bytes(data)
        code = main(["grade", str(path), *words])
        out, said = capsys.readouterr()
        lines = [json.loads(line) for line in out.split("\n") if line] if "table" not in words else []
        return Done(code, lines, out, said)

    return graded
