"""The composition root: a resolved configuration becomes connected parts, and one command's work."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tvo_cli.experiment.run_evaluation import evaluate
    from tvo_cli.experiment.run_gradient_variance import variance
    from tvo_cli.experiment.run_replay import replay
    from tvo_cli.experiment.run_sft import sft
    from tvo_cli.experiment.run_training import train

__all__ = ["evaluate", "replay", "sft", "train", "variance"]
MODULES = {
    "evaluate": "run_evaluation",
    "replay": "run_replay",
    "sft": "run_sft",
    "train": "run_training",
    "variance": "run_gradient_variance",
}


def __getattr__(name: str) -> Any:
    """Loaded when asked for: which suite an evaluation takes is found, and a wrong key refused, without torch."""
    if name in MODULES:
        return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
    raise AttributeError(name)
