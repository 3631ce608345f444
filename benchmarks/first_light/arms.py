"""The runs of benchmarks.first_light: algorithms, learning rates and settings on the embedded tasks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

COOLED = "optimizer=adamw_cooled"
TASKS = {
    "arithmetic": (),
    "addition": ("dataset=addition", "model=tiny_addition"),
    "sparse": ("dataset=addition", "model=tiny_addition_sparse", "trainer.steps=60"),
}


class Arm(NamedTuple):
    """One row of a table: an algorithm with its settings on a task."""

    part: str
    task: str
    algorithm: str
    lr: float
    seeds: int
    extra: tuple[str, ...] = ()

    def overrides(self, seed: int) -> list[str]:
        """What `tvo train` is given."""
        return [
            *TASKS[self.task],
            f"algorithm={self.algorithm}",
            *("rollout.epochs=4", "rollout.minibatches=4"),  # as these tables were made, whatever a recipe takes today
            *self.extra,
            f"optimizer.lr={self.lr:g}",
            f"seed={seed}",
        ]

    def folder(self, root: Path, seed: int) -> Path:
        """Where the run lies."""
        name = ",".join([self.algorithm, f"{self.lr:g}", *self.extra, f"s{seed}"]).replace("/", "_")
        return root / self.task / name


RATES = {
    "tvo_2025": (1e-4, 3e-4, 1e-3, 3e-3),
    "grpo": (5e-5, 1e-4, 3e-4, 1e-3),
    "ppo": (5e-5, 1e-4, 3e-4, 1e-3),
    "reinforce": (5e-5, 1e-4, 3e-4, 1e-3),
    "grpo_shrunk_cv": (5e-5, 1e-4, 2e-4, 3e-4, 1e-3),
    "grpo_shrunk": (1e-4, 2e-4),
    "grpo_viscous": (3e-4, 1e-3),
    "tvo_rec": (3e-4, 1e-3),
    "tvo_macro": (1e-3,),
    "tvo_micro": (1e-4, 2e-4),
}
TASK_RATES = {
    "tvo_2025": (1e-3,),
    "grpo": (5e-5, 1e-4, 2e-4),
    "ppo": (5e-5,),
    "reinforce": (5e-5, 1e-4),
    "grpo_shrunk_cv": (1e-4, 2e-4),
    "tvo_rec": (1e-3,),
}
COOLED_RATES = {"grpo": (5e-5, 1e-4), "ppo": (5e-5,), "reinforce": (5e-5,), "grpo_shrunk_cv": (1e-4, 2e-4)}
LEVEL = ("algorithm.step_rule.schedule.start=1", "algorithm.step_rule.schedule.end=1")
EPOCH_RATES = {"tvo_2025": (1e-3,), "grpo": (1e-4, 2e-4), "reinforce": (1e-4, 2e-4), "grpo_shrunk_cv": (2e-4, 3e-4)}


def arms() -> Iterator[Arm]:
    """Every row, in the order in which they are worth having."""
    yield from _grid("rates", "arithmetic", RATES, 5)
    yield from _grid("tasks", "addition", TASK_RATES, 3)
    yield from _grid("tasks", "sparse", TASK_RATES, 3)
    yield from _grid("cooling", "arithmetic", COOLED_RATES, 5, (COOLED,))
    yield Arm("cooling", "arithmetic", "tvo_2025", 1e-3, 5, LEVEL)
    for epochs in (2, 1):
        yield from _grid("epochs", "arithmetic", EPOCH_RATES, 5, (f"rollout.epochs={epochs}",))


def _grid(
    part: str, task: str, rates: dict[str, tuple[float, ...]], seeds: int, extra: tuple[str, ...] = ()
) -> Iterator[Arm]:
    for algorithm, grid in rates.items():
        for lr in grid:
            yield Arm(part, task, algorithm, lr, seeds, extra)
