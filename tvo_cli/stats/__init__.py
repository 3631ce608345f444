"""Statistics of evaluations and of comparisons.

Exported here is what training and grading need; it loads neither numpy nor scipy. The rest is imported from its
module where it is used: comparison, power, bootstrap, survival, robust, efficiency, ratio, law.
"""

from __future__ import annotations

from tvo_cli.stats.interval import Interval, clustered_interval, mean_interval, standard_error, wilson
from tvo_cli.stats.majority import answer_entropy, clusters, majority, majority_score
from tvo_cli.stats.pass_at_k import pass_at_k

__all__ = [
    "Interval",
    "answer_entropy",
    "clustered_interval",
    "clusters",
    "majority",
    "majority_score",
    "mean_interval",
    "pass_at_k",
    "standard_error",
    "wilson",
]
