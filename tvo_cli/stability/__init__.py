"""Stability: gradient statistics, readings, thermodynamics, collapse rules and the watch over them."""

from tvo_cli.stability.collapse_watch import CollapseAction, CollapseWatch
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
from tvo_cli.stability.rule_interface import CollapseRule, RuleFiring

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
