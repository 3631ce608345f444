"""Evaluation: suites of problems, protocols, every completion kept, intervals; and the held-out check of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tvo_cli.evaluation.heldout_check import HeldoutEvaluation, HeldoutSet

__all__ = ["HeldoutEvaluation", "HeldoutSet"]


def __getattr__(name: str) -> Any:
    """Loaded when asked for: regrading needs no torch."""
    if name in __all__:
        from tvo_cli.evaluation import heldout_check

        return getattr(heldout_check, name)
    raise AttributeError(name)
