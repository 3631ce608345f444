"""Optimiser schedules and step rules: how large a step the measured divergence allows."""

from tvo_cli.optim.adamw_8bit import adamw_8bit
from tvo_cli.optim.adaptive_rate import AdaptiveRate
from tvo_cli.optim.early_stop import EarlyStop
from tvo_cli.optim.fluctuation import Fluctuation
from tvo_cli.optim.lion import Lion
from tvo_cli.optim.schedule import Constant, Cosine, Inverse, Linear, RiverValley, WarmUp, with_warm_up
from tvo_cli.optim.set_point import LogitDisplacement, Probability
from tvo_cli.optim.step_rule import Free, RewardReadingStepRule, StepRule
from tvo_cli.optim.viscosity import Viscosity

__all__ = [
    "AdaptiveRate",
    "Constant",
    "Cosine",
    "EarlyStop",
    "Fluctuation",
    "Free",
    "Inverse",
    "Linear",
    "Lion",
    "LogitDisplacement",
    "Probability",
    "RewardReadingStepRule",
    "RiverValley",
    "StepRule",
    "Viscosity",
    "WarmUp",
    "adamw_8bit",
    "with_warm_up",
]
