"""Stability: gradient statistics, readings, thermodynamics, collapse rules and the watch over them."""

from tvo_cli.stability.collapse_rule import Firing, Rule
from tvo_cli.stability.gradient_noise import GradientReading, MicroBatchVariance, Smoother, log_fluctuation
from tvo_cli.stability.thermo import FreeEnergy, dissipation, free_energy, predicted_dissipation
from tvo_cli.stability.watch import Action, Watch

__all__ = [
    "Action",
    "Firing",
    "FreeEnergy",
    "GradientReading",
    "MicroBatchVariance",
    "Rule",
    "Smoother",
    "Watch",
    "dissipation",
    "free_energy",
    "log_fluctuation",
    "predicted_dissipation",
]
