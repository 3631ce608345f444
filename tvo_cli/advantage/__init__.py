"""Advantage estimators: a graded rollout batch → Â."""

from tvo_cli.advantage.conditional_group import ConditionalGroup
from tvo_cli.advantage.difficulty_entropy import DifficultyEntropyReward
from tvo_cli.advantage.estimator import Estimator
from tvo_cli.advantage.gae import GeneralisedAdvantage
from tvo_cli.advantage.group_baseline import BatchScaledGroup, GroupCentred, GroupNormalised, LeaveOneOut
from tvo_cli.advantage.reweighted_sources import ReweightedSources, weight_of_objective
from tvo_cli.advantage.shaping import ShapedEstimator, shaped_estimator, shaped_rewards, shaping_readings
from tvo_cli.advantage.shrinkage_baseline import ShrunkLeaveOneOut
from tvo_cli.advantage.token_group_average import TokenGroupAverage
from tvo_cli.advantage.virtual_samples import VirtualSamples
from tvo_cli.advantage.whitened_returns import WhitenedGroup, WhitenedReturn

__all__ = [
    "BatchScaledGroup",
    "ConditionalGroup",
    "DifficultyEntropyReward",
    "Estimator",
    "GeneralisedAdvantage",
    "GroupCentred",
    "GroupNormalised",
    "LeaveOneOut",
    "ReweightedSources",
    "ShapedEstimator",
    "ShrunkLeaveOneOut",
    "TokenGroupAverage",
    "VirtualSamples",
    "WhitenedGroup",
    "WhitenedReturn",
    "shaped_estimator",
    "shaped_rewards",
    "shaping_readings",
    "weight_of_objective",
]
