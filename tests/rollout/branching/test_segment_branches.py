"""Segment branches: when a response branches, from numbers worked by hand; budgets, penalties and the trial."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest

from tests.rollout.conftest import grown_responses
from tvo_cli.errors import UserError
from tvo_cli.rollout import SegmentBranches
from tvo_cli.rollout.branching.branching_rule import Cut
from tvo_cli.rollout.branching.segment_branches import initial_responses

AEPO: dict[str, Any] = {
    **{"initial": 0.5, "beta": 0.5, "segments": 3, "longest": 12, "weight": 0.2},
    **{"penalty": 0.05, "threshold": 0.5},
}
FLAT = [1.0] * 12


def test_the_longest_response_has_so_many_segments() -> None:
    assert SegmentBranches(**AEPO).width == 4 and SegmentBranches(**AEPO | {"longest": 13}).width == 5


@pytest.mark.parametrize(("samples", "first"), [(16, 8), (12, 6), (2, 1), (1, 1)])
def test_half_of_the_responses_are_sampled_from_the_prompt(samples: int, first: int) -> None:
    assert SegmentBranches(**AEPO).first(samples) == first


def test_a_branch_follows_the_end_of_the_first_segment_where_the_lot_reaches_a_half() -> None:
    """ΔH = 0 and l = 0 there: P = u."""
    grown = grown_responses([FLAT] * 8, samples=16, group=[0] * 8)
    numbers = grown.random_numbers(0, "segment 0", 0, 16)
    expected = [Cut(row, 4) for row in range(8) if numbers[row] >= 0.5]
    assert 0 < len(expected) < 8
    assert SegmentBranches(**AEPO).cuts(grown, 0) == expected


def test_more_entropy_than_at_first_makes_it_likelier_and_less_makes_it_less() -> None:
    """w·ΔH with ΔH = 4·(H_1 − H_0)/ln 100 nats: ±1 where H changes by 1.1513; u ± 0.2 against ½."""
    step = math.log(100) / 4
    rows = [[2.0] * 4 + [2.0 + step * sign] * 4 + [0.0] * 4 for sign in (1, -1) * 4]
    grown = grown_responses(rows, samples=32, group=[0] * 8)
    numbers = grown.random_numbers(0, "segment 1", 0, 32)
    expected = [Cut(row, 8) for row in range(8) if numbers[row] + (0.2 if row % 2 == 0 else -0.2) >= 0.5]
    assert expected != [Cut(row, 8) for row in range(8) if numbers[row] >= 0.5], "or the entropies would not show"
    assert SegmentBranches(**AEPO).cuts(grown, 1) == expected


def test_only_the_first_twenty_tokens_of_a_segment_count() -> None:
    wide = SegmentBranches(**AEPO | {"longest": 61, "segments": 2})
    rows = [[1.0] * 31 + [1.0] * 20 + [99.0] * 10]
    assert wide._entropy(grown_responses(rows, samples=2), 0, 1) == pytest.approx(20 / math.log(100))


@pytest.mark.parametrize(("taken", "count"), [([0, 0, 0], 0), ([0, 0, 8], 1), ([0, 4, 8], 2), ([0, 4, 0], 0)])
def test_a_prompt_that_has_just_branched_branches_less(taken: list[int], count: int) -> None:
    """At the end of segment 2, a penalty of 1/3 a segment: P = u·(1 − l/3), l over segments 1, 0 without a gap."""
    rule = SegmentBranches(**AEPO | {"penalty": 1 / 3, "threshold": 1e-9})
    bound = SegmentBranches(**AEPO | {"penalty": 1 / 3, "threshold": 1.0 - count / 3 + 1e-9})
    grown = grown_responses([[1.0] * 16] * 3, samples=99, group=[0] * 3, taken=taken)
    assert len(rule.cuts(grown, 2)) == 3 and bound.cuts(grown, 2) == []
    numbers = max(grown.random_numbers(0, "segment 2", 0, 99)[:3])
    near = SegmentBranches(**AEPO | {"penalty": 1 / 3, "threshold": numbers * (1.0 - count / 3) - 1e-9})
    assert len(near.cuts(grown, 2)) == 1


def test_no_prompt_gets_more_than_its_responses_and_short_ones_do_not_branch() -> None:
    rule = SegmentBranches(**AEPO | {"threshold": 0.0})
    grown = grown_responses([FLAT] * 3, samples=5, group=[0] * 3, lengths=[12, 4, 12])
    assert rule.cuts(grown, 0) == [Cut(0, 4), Cut(2, 4)]
    full = grown_responses([FLAT] * 3, samples=4, group=[0] * 3)
    assert rule.cuts(full, 0) == [Cut(0, 4)]


def test_what_is_missing_at_the_end_is_sampled_from_the_prompt() -> None:
    grown = grown_responses([FLAT] * 3, samples=5, group=[0, 0, 1])
    assert SegmentBranches(**AEPO).cuts(grown, 2) == [Cut(0, 0)] * 3 + [Cut(2, 0)] * 4


def test_a_trial_gives_an_unclear_question_more_responses_of_its_own() -> None:
    """k = 16, β(H_root − H_tool) = .2: ⌊16·σ(.2)⌋ + 1 = ⌊8.797⌋ + 1 = 9; 8.0 alike, at most 16."""
    assert initial_responses(16, 0.2) == 9 and initial_responses(16, 0.0) == 9
    assert initial_responses(16, 50.0) == 16 and initial_responses(16, -50.0) == 1
    rule = SegmentBranches(**AEPO | {"initial": None})
    assert rule.first(16) == 1
    excess = 0.4 / 0.5 * math.log(100) / 4
    clear, unclear = [[1.0] * 12], [[1.0 + 10 * excess] * 4 + [1.0] * 8]
    assert Counter(rule.cuts(grown_responses(clear, samples=16), 0)) == {Cut(0, 0): 8}
    assert Counter(rule.cuts(grown_responses(unclear, samples=16), 0)) == {Cut(0, 0): 15}, "⌊16·σ(4)⌋ = 15"
    assert rule.cuts(grown_responses([FLAT] * 8, samples=16, group=[0] * 8), 1)[0].at == 4
    short = grown_responses([[9.0] * 4], samples=16)
    assert Counter(rule.cuts(short, 0)) == {Cut(0, 0): 8}, "a trial of one segment: H_tool is H_root, as released"


@pytest.mark.parametrize(("name", "value"), [("segments", 1), ("initial", 0.0), ("initial", 1.5)])
def test_what_is_no_segment_or_share_is_refused(name: str, value: float) -> None:
    with pytest.raises(UserError, match=rf"algorithm\.branching\.{name}={value}"):
        SegmentBranches(**AEPO | {name: value})
