"""Advantage estimators: a graded rollout batch → Â."""

from tvo_cli.advantage.estimator import Estimator
from tvo_cli.advantage.gae import GeneralisedAdvantage
from tvo_cli.advantage.group_baseline import BatchScaledGroup, GroupCentred, GroupNormalised, LeaveOneOut
from tvo_cli.advantage.shrinkage_baseline import ShrunkLeaveOneOut
from tvo_cli.advantage.whitened_returns import WhitenedGroup, WhitenedReturn

__all__ = [
    "BatchScaledGroup",
    "Estimator",
    "GeneralisedAdvantage",
    "GroupCentred",
    "GroupNormalised",
    "LeaveOneOut",
    "ShrunkLeaveOneOut",
    "WhitenedGroup",
    "WhitenedReturn",
]
