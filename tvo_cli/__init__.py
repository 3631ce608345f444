"""tvo: reinforcement learning of language models, with stability in view.

`import tvo_cli as tvo` offers what `__all__` names; nothing is loaded before it is used (docs/python.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tvo_cli.api.comparison import Comparison, ComparisonVerdict, compare
    from tvo_cli.api.evaluation import Evaluation, evaluate
    from tvo_cli.api.grading import grade
    from tvo_cli.api.run import Run, load
    from tvo_cli.api.training import RunInterrupted, train
    from tvo_cli.diagnosis.stability_monitor import StabilityMonitor
    from tvo_cli.errors import UserError
    from tvo_cli.plugins import register

__all__ = [
    "Comparison",
    "ComparisonVerdict",
    "Evaluation",
    "Run",
    "RunInterrupted",
    "StabilityMonitor",
    "UserError",
    "__version__",
    "compare",
    "evaluate",
    "grade",
    "load",
    "register",
    "train",
]
_MODULES = {
    **dict.fromkeys(("Comparison", "ComparisonVerdict", "compare"), "tvo_cli.api.comparison"),
    **dict.fromkeys(("Evaluation", "evaluate"), "tvo_cli.api.evaluation"),
    "grade": "tvo_cli.api.grading",
    **dict.fromkeys(("Run", "load"), "tvo_cli.api.run"),
    **dict.fromkeys(("RunInterrupted", "train"), "tvo_cli.api.training"),
    "StabilityMonitor": "tvo_cli.diagnosis.stability_monitor",
    "UserError": "tvo_cli.errors",
    "register": "tvo_cli.plugins",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return found


def __dir__() -> list[str]:
    """List what is there and what would be imported."""
    return sorted({*globals(), *__all__})
