"""Optimiser schedules and step rules: how large a step the measured divergence allows."""

from tvo_cli.optim.schedule import Constant, Cosine, Inverse, Linear
from tvo_cli.optim.set_point import LogitDisplacement, Probability
from tvo_cli.optim.step_rule import Free, StepRule, Viscosity

__all__ = [
    "Constant",
    "Cosine",
    "Free",
    "Inverse",
    "Linear",
    "LogitDisplacement",
    "Probability",
    "StepRule",
    "Viscosity",
]
