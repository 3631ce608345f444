"""The objective: one equation, whose terms an algorithm chooses."""

from tvo_cli.objective.entropy_corridor import EntropyCorridor
from tvo_cli.objective.force import ControlVariate, Temperature, TsallisTemperature
from tvo_cli.objective.internal_policy import InternalPolicy
from tvo_cli.objective.objective import Objective
from tvo_cli.objective.penalty import Anchored, Penalty

__all__ = [
    "Anchored",
    "ControlVariate",
    "EntropyCorridor",
    "InternalPolicy",
    "Objective",
    "Penalty",
    "Temperature",
    "TsallisTemperature",
]
