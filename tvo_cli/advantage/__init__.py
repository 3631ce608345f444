"""Advantage estimators: a graded rollout batch → Â."""

from tvo_cli.advantage.estimator import Estimator
from tvo_cli.advantage.gae import GeneralisedAdvantage
from tvo_cli.advantage.group import BatchScaledGroup, GroupNormalised, LeaveOneOut
from tvo_cli.advantage.shrunk import ShrunkLeaveOneOut

__all__ = [
    "BatchScaledGroup",
    "Estimator",
    "GeneralisedAdvantage",
    "GroupNormalised",
    "LeaveOneOut",
    "ShrunkLeaveOneOut",
]
