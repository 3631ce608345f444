"""The objective: one equation, whose pieces an algorithm chooses."""

from tvo_cli.objective.force import ControlVariate, Temperature
from tvo_cli.objective.objective import Objective, Penalty

__all__ = ["ControlVariate", "Objective", "Penalty", "Temperature"]
