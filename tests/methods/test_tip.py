"""TIP: the Soft-OR of entropy and divergence, the share of each response, and the teacher in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.methods.conftest import Result
from tvo_cli.methods.tip import _best_of_each_row, tip
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


def test_either_alone_goes_before_some_of_both(four: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    """(h, d) = (1, 0), (.6, .6), (0, 1): Soft-OR scores 1, .84, 1, where a sum would have 1, 1.2, 1."""
    monkeypatch.setattr("tvo_cli.methods.tip.CLIPPED_ABOVE", 1.0)
    entropy, away = torch.zeros(2, 4, dtype=D), torch.zeros(2, 4, dtype=D)
    entropy[0, :2], away[0, 1:3] = torch.tensor([2.0, 1.2]), torch.tensor([0.48, 0.8])
    logp = (1 - away).log()
    tokens = replace(four, entropy=entropy, logp=logp, old_logp=logp)
    assert chosen(tokens, 0.25, "surprise")[0] == [0, 0]
    assert chosen(tokens, 0.5, "surprise")[:2] == [[0, 0], [0, 2]]


def test_one_wild_entropy_does_not_hide_the_others(four: Tokens) -> None:
    """Entropies 0, .01 … .99 and 50, whose 98th percentile is .98: ĥ spans them, and d̂ = ½ is their middle."""
    entropy, away = torch.arange(101, dtype=D)[None] / 100, torch.zeros(1, 101, dtype=D)
    entropy[0, 100], away[0, 100], away[0, 0] = 50.0, 0.8, 0.4
    logp, mask = (1 - away).log(), torch.ones(1, 101, dtype=torch.bool)
    tokens = replace(four, entropy=entropy, logp=logp, old_logp=logp, mask=mask, advantage=mask.double())
    kept = [column for _, column in chosen(tokens, 0.4, "surprise")]
    assert kept == list(range(61, 101)), "where 50 is the scale, ĥ of the others is below .02 and the first is kept"


def test_a_minibatch_of_more_tokens_than_torch_ranks(four: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.quantile stops at 2²⁴ entries."""

    def refused(*_: object) -> torch.Tensor:
        raise RuntimeError("quantile() input tensor is too large")

    expected = tip(four, share=0.5, divergence="surprise")
    monkeypatch.setattr(torch, "quantile", refused)
    torch.testing.assert_close(tip(four, share=0.5, divergence="surprise"), expected, rtol=0, atol=0)


def test_each_response_keeps_its_share_and_one_at_the_least(on_f0: Callable[..., Result]) -> None:
    tokens = on_f0("tip").tokens
    for share, counts in ((0.5, [1, 1, 1, 1]), (0.7, [2, 1, 2, 1]), (1.0, [3, 2, 3, 1])):
        assert (tip(tokens, share=share, divergence="surprise") > 0).sum(1).tolist() == counts


def test_a_share_is_counted_exactly() -> None:
    """.42 · 150 = 63, which float32 has as less."""
    mask = torch.ones(1, 150, dtype=torch.bool)
    assert _best_of_each_row(torch.rand(1, 150), mask, 0.42).sum() == 63


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
