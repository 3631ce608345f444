"""TIP: the Soft-OR of entropy and divergence, the share of each response, and the teacher in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.methods.conftest import Result
from tvo_cli.methods.tip import tip
from tvo_cli.types import Tokens

OBJECTIVE = "algorithm.objective"
NEUTRAL = {
    "tip": (
        "grpo",
        [
            f"{OBJECTIVE}.weight.share=1",
            f"{OBJECTIVE}.reduce._target_=tvo_cli.objective.reduction.sequence_mean",
        ],
    )
}
D = torch.float64


@pytest.fixture
def four(on_f0: Callable[..., Result]) -> Tokens:
    """One response: (h, d) = (1, 1), (0, 1), (0, 0), (½, ½) once scaled, d by 1 − π at Â = 1; then four sure tokens."""
    mask = torch.ones(2, 4, dtype=torch.bool)
    entropy = torch.tensor([[2.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]], dtype=D)
    away = torch.tensor([[0.8, 0.8, 0.0, 0.4], [0.0, 0.0, 0.0, 0.0]], dtype=D)
    columns: dict[str, Any] = {
        "logp": (1 - away).log(),
        "old_logp": (1 - away).log(),
        "entropy": entropy,
        "advantage": mask.double(),
    }
    return replace(on_f0("tip").tokens, **columns, mask=mask, share=mask / 8, ref_logp=(1 - away).log())


def chosen(tokens: Tokens, share: float, divergence: str) -> list[list[int]]:
    return (tip(tokens, share=share, divergence=divergence) > 0).nonzero().tolist()


def test_uncertain_or_at_odds(four: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores 1, 1, 0, ¾: two of four are the first two, three all but the sure and agreeing one."""
    monkeypatch.setattr("tvo_cli.methods.tip.CLIPPED_ABOVE", 1.0)
    assert chosen(four, 0.5, "surprise")[:2] == [[0, 0], [0, 1]]
    assert chosen(four, 0.75, "surprise")[:3] == [[0, 0], [0, 1], [0, 3]]
    assert chosen(four, 0.5, "none")[:2] == [[0, 0], [0, 3]], "by entropy alone the second token is not seen"


def test_each_response_keeps_its_share_and_one_at_the_least(on_f0: Callable[..., Result]) -> None:
    tokens = on_f0("tip").tokens
    for share, counts in ((0.5, [1, 1, 1, 1]), (0.7, [2, 1, 2, 1]), (1.0, [3, 2, 3, 1])):
        assert (tip(tokens, share=share, divergence="surprise") > 0).sum(1).tolist() == counts


def test_the_weight_makes_the_mean_over_kept_tokens(on_f0: Callable[..., Result]) -> None:
    tokens = on_f0("tip").tokens
    weight = tip(tokens, share=0.5, divergence="none")
    assert weight[weight > 0].tolist() == [9 / 4] * 4 and (weight[~tokens.mask] == 0).all()


def test_the_frozen_start_stands_in_for_a_teacher(four: Tokens) -> None:
    """Where log π_ref is off by 3 nats the token is kept, however sure the policy is."""
    assert four.ref_logp is not None
    apart = four.ref_logp.clone()
    apart[1, 2] -= 3.0
    assert [1, 2] in chosen(replace(four, ref_logp=apart), 0.25, "reference")


def test_only_a_divergence_from_the_reference_needs_one(on_f0: Callable[..., Result]) -> None:
    assert not on_f0("tip").objective.needs_reference
    assert on_f0("tip", f"{OBJECTIVE}.weight.divergence=reference").objective.needs_reference
