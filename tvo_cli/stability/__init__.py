"""Stability: gradient statistics, readings, thermodynamics, collapse rules and the watch over them.

What needs torch is imported when it is first used: collapse rules read logs without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvo_cli.stability.collapse_watch import CollapseAction, CollapseWatch
from tvo_cli.stability.rule_interface import CollapseRule, RuleFiring

if TYPE_CHECKING:
    from tvo_cli.stability.free_energy import (
        FreeEnergy,
        dissipation,
        free_energy_of_batch,
        predicted_free_energy_dissipation,
    )
    from tvo_cli.stability.gradient_noise import (
        GradientNoiseReading,
        GradientNoiseSmoother,
        MicroBatchVariance,
        gradient_log_fluctuation,
    )

__all__ = [
    "CollapseAction",
    "CollapseRule",
    "CollapseWatch",
    "FreeEnergy",
    "GradientNoiseReading",
    "GradientNoiseSmoother",
    "MicroBatchVariance",
    "RuleFiring",
    "dissipation",
    "free_energy_of_batch",
    "gradient_log_fluctuation",
    "predicted_free_energy_dissipation",
]
_THERMODYNAMICS = ("FreeEnergy", "dissipation", "free_energy_of_batch", "predicted_free_energy_dissipation")
_GRADIENT = ("GradientNoiseReading", "GradientNoiseSmoother", "MicroBatchVariance", "gradient_log_fluctuation")
_MODULES = dict.fromkeys(_THERMODYNAMICS, "free_energy") | dict.fromkeys(_GRADIENT, "gradient_noise")


def __getattr__(name: str) -> object:
    """Import a name that needs torch when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return found
