"""The contract of an objective: what its samples show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.methods.conftest import composed
from tvo_cli.experiment.contract import objective_contract
from tvo_cli.experiment.contract.objective_contract import CheckedAlgorithm, ContractBroken
from tvo_cli.types import Tokens


def twice_where_a_token_does_not_count(tokens: Tokens) -> Tensor:
    """A statistic of the shares of these rows alone."""
    left_out = (tokens.share == 0) & tokens.mask
    return torch.ones_like(tokens.logp) * (2.0 if left_out.any() else 1.0)


def over_what_counts(tokens: Tokens) -> Tensor:
    """0/0 in a row of which nothing counts."""
    counted = tokens.share > 0
    return torch.where(tokens.mask, counted / counted.sum(1, keepdim=True), 0.0)


@pytest.mark.parametrize(
    ("weight", "check", "trouble"),
    [
        (
            twice_where_a_token_does_not_count,
            objective_contract.check_micro_batches,
            "three micro-batches have another",
        ),
        (over_what_counts, objective_contract.check_extremes, "not finite: some tokens do not count"),
    ],
)
def test_a_weight_is_held_to_the_contract_where_some_tokens_do_not_count(weight: Any, check: Any, trouble: str) -> None:
    node = composed("grpo").algorithm
    one = CheckedAlgorithm(node, node)
    one.built[False] = replace(one.objective(), weight=weight)
    with pytest.raises(ContractBroken, match=trouble):
        check(one)
