"""The cost of an evaluation in which a small and a large model take turns, in tokens of the large one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tvo_cli.evaluation.responses import GradedResponse


def summarise_pair_cost(rows: Sequence[GradedResponse], pair: Mapping[str, Any]) -> dict[str, Any]:
    """Shares and costs over all responses of a suite.

    `cost` = (n_S·P_S + n_L·P_L)/(n·P_L) is the paper's (arXiv:2502.06833): tokens written, weighted by parameters.
    `cost_with_reading` counts every position that a model computed, its prompt and what it caught up on after a switch
    included, over the positions of the large model alone (its prompt once a response, and the same number of tokens).
    Nothing was written: nan.

    Args:
        rows: with `pair`, what each response has cost.
        pair: parameters of both models, `parameters_small` and `parameters_large`.
    """
    costs = [(row.tokens, row.pair) for row in rows if row.pair is not None]
    written, large = sum(tokens for tokens, _ in costs), sum(cost["large"] for _, cost in costs)
    read_small, read_large = (sum(cost[name] for _, cost in costs) for name in ("read_small", "read_large"))
    whole = sum(max(cost["read_small"], cost["read_large"]) for _, cost in costs)
    relative = float(pair["parameters_small"]) / float(pair["parameters_large"])
    return {
        "large_share": large / written if written else math.nan,
        "cost": (relative * (written - large) + large) / written if written else math.nan,
        "cost_with_reading": (relative * read_small + read_large) / whole if whole else math.nan,
        "tokens_large": large,
        "read_small": read_small,
        "read_large": read_large,
    }
