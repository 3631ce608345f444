"""Clip-Cov on F0, where three tokens are candidates, and how it draws among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from tests.methods.conftest import Result
from tvo_cli.methods.clip_cov import clip_cov

OBJECTIVE = "algorithm.objective"
NEUTRAL = {
    "clip_cov": (
        "grpo",
        [
            f"{OBJECTIVE}.weight.share=0",
            f"{OBJECTIVE}.surrogate.low=0.2",
            f"{OBJECTIVE}.surrogate.high=0.2",
            f"{OBJECTIVE}.reduce._target_=tvo_cli.objective.reduction.sequence_mean",
        ],
    ),
}
ACTS = {"clip_cov": [f"{OBJECTIVE}.weight.share=0.2", f"{OBJECTIVE}.weight.low=0.05"]}
ALL = {"share": 1.0, "low": 0.2, "high": 5.0, "clip_low": 1.0, "clip_high": 1.0}


def test_on_f0_with_every_candidate_taken(on_f0: Callable[..., Result], f0: dict[str, torch.Tensor]) -> None:
    found = on_f0("clip_cov", f"{OBJECTIVE}.weight.low=0.2", f"{OBJECTIVE}.weight.share=1")
    silent = (found.gradient == 0) & f0["mask"]
    assert silent.nonzero().tolist() == [[0, 0], [2, 1], [3, 0]]
    assert found.loss == pytest.approx(0.113741, abs=1e-6)


def test_the_band_of_the_covariance_and_the_clip_choose_the_candidates(on_f0: Callable[..., Result]) -> None:
    """C on F0: (0,0) .517671, (2,1) .371536, (3,0) .533385; (0,1) .085551 with ρ = 1.49."""
    tokens = on_f0("clip_cov").tokens
    assert (clip_cov(tokens, **{**ALL, "high": 0.53}) == 0).nonzero().tolist() == [[0, 0], [2, 1]]
    assert (clip_cov(tokens, **{**ALL, "low": 0.08}) == 0)[0].tolist() == [True, True, False]
    assert (clip_cov(tokens, **{**ALL, "low": 0.08, "clip_high": 0.4}) == 0)[0].tolist() == [True, False, False]


def test_lots_are_a_function_of_the_minibatchs_seed_and_cover_all_candidates(on_f0: Callable[..., Result]) -> None:
    tokens = on_f0("clip_cov").tokens
    drawn = [clip_cov(replace(tokens, seed=seed), **{**ALL, "share": 0.12}) for seed in range(40)]
    again = clip_cov(replace(tokens, seed=7), **{**ALL, "share": 0.12})
    assert torch.equal(drawn[7], again)
    assert all(int((weight == 0).sum()) == 1 for weight in drawn)
    assert {tuple(place) for weight in drawn for place in (weight == 0).nonzero().tolist()} == {(0, 0), (2, 1), (3, 0)}


def test_at_least_one_token_is_taken_and_none_where_advantages_are_equal(on_f0: Callable[..., Result]) -> None:
    tokens = on_f0("clip_cov").tokens
    assert int((clip_cov(tokens, **{**ALL, "share": 1e-9}) == 0).sum()) == 1
    equal = replace(tokens, advantage=torch.ones_like(tokens.advantage) * tokens.mask)
    assert (clip_cov(equal, **{**ALL, "low": 0.0}) == 1).all()
