"""Statistics of evaluations and of comparisons.

Exported here is what training and grading need; it loads neither numpy nor scipy. The rest is imported from its
module where it is used: comparison, power, bootstrap, survival, robust, efficiency, ratio, law.
"""

from __future__ import annotations

from tvo_cli.stats.confidence_interval import (
    ConfidenceInterval,
    clustered_interval,
    mean_interval,
    standard_error,
    wilson_interval,
)
from tvo_cli.stats.majority_vote import answer_entropy, cluster_equal_answers, majority_answers, majority_score
from tvo_cli.stats.pass_at_k import pass_at_k

__all__ = [
    "ConfidenceInterval",
    "answer_entropy",
    "cluster_equal_answers",
    "clustered_interval",
    "majority_answers",
    "majority_score",
    "mean_interval",
    "pass_at_k",
    "standard_error",
    "wilson_interval",
]
