"""The runs of benchmarks.diagnosis: healthy ones of several algorithms and ones with a fault, each in a folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from benchmarks.diagnosis.faults import FAULTS, Fault

STEPS = 36
SMALL = (
    f"trainer.steps={STEPS}",
    *("rollout.prompts=8", "rollout.samples=8", "rollout.epochs=2", "rollout.minibatches=2"),
    *("evaluation.every=12", "evaluation.problems=32", "evaluation.samples=2"),
    *("trainer.checkpoint_every=0", "trainer.threads=1", "recorder=off", "logger=none", "logger.console=off"),
)
HEALTHY = Fault("healthy", "no fault", onset=0)
ADDITION = ("dataset=addition", "model=tiny_addition")
HEALTHY_ALGORITHMS = {  # of the first seed all, of each further one three in turn
    **dict.fromkeys(("tvo", "grpo"), ()),
    "grpo addition": ADDITION,
    **dict.fromkeys(("ppo", "reinforce", "rloo", "cispo", "grpo_shrunk_cv"), ()),
    "tvo addition": ADDITION,
}
RECIPES = {"tvo": "tvo_2025"}  # under the names that they have in the kept logs
RATES = {"tvo": "1e-3"}  # else the baselines' own best of docs/results/first-light.md
USUAL_RATE = "1e-4"


class FaultRun(NamedTuple):
    """One run: what is wrong with it, its algorithm and its seed."""

    fault: Fault
    algorithm: str
    seed: int
    extra: tuple[str, ...] = ()

    def folder(self, root: Path) -> Path:
        """Where it lies."""
        return root / self.fault.name / f"{self.algorithm.replace(' ', '_')}-s{self.seed}"

    def overrides(self) -> list[str]:
        """What `tvo train` is given."""
        algorithm = self.algorithm.split()[0]
        chosen = (
            f"algorithm={RECIPES.get(algorithm, algorithm)}",
            f"optimizer.lr={RATES.get(algorithm, USUAL_RATE)}",
            f"seed={self.seed}",
        )
        return [*chosen, *SMALL, *self.extra, *self.fault.overrides]


def runs(seeds: tuple[int, ...]) -> Iterator[FaultRun]:
    """Seed by seed, so that what was stopped has whole seeds; a fault's algorithms take turns of two seeds."""
    for seed in seeds:
        for fault in FAULTS:
            yield FaultRun(fault, fault.algorithms[seed // 2 % len(fault.algorithms)], seed)
        for algorithm in _healthy_algorithms(seed):
            yield FaultRun(HEALTHY, algorithm, seed, HEALTHY_ALGORITHMS[algorithm])


def _healthy_algorithms(seed: int) -> list[str]:
    names = list(HEALTHY_ALGORITHMS)
    return names if seed == 0 else [names[(3 * seed + turn) % len(names)] for turn in range(3)]


def trained(run: FaultRun, root: Path) -> Path:
    """The run's folder, after training where it is not done."""
    folder = run.folder(root)
    if not (folder / "fault.json").is_file():  # written last
        shutil.rmtree(folder, ignore_errors=True)
        _train(run, folder)
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return folder


def _train(run: FaultRun, folder: Path) -> None:
    import torch

    from tvo_cli import config
    from tvo_cli.experiment.build_session import build_session
    from tvo_cli.experiment.run_training import train

    torch.set_num_threads(1)

    def with_fault(*arguments: Any, **keywords: Any) -> Any:
        session = build_session(*arguments, **keywords)
        if run.fault.inject is not None:
            run.fault.inject(session, run.fault.onset)
        return session

    with patch("tvo_cli.experiment.run_training.build_session", with_fault):
        train(config.compose([*run.overrides(), f"output_dir='{folder}'"]))
    told = {"fault": run.fault.name, "onset": run.fault.onset, "algorithm": run.algorithm, "seed": run.seed}
    (folder / "fault.json").write_text(json.dumps(told), encoding="utf-8")
