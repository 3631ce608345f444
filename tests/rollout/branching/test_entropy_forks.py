"""Entropy forks: which tokens a response may be cut before, how the branches are dealt, and what the lots choose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
import torch

from tests.rollout.conftest import grown_responses
from tvo_cli.errors import UserError
from tvo_cli.rollout import EntropyForks
from tvo_cli.rollout.branching.branching_rule import Cut

CURE = {"forks": 1, "children": 3, "candidates": 20, "shortest": 2}
HIGHEST = [9.0, 1.0, 8.0, 7.0, 2.0]


def places(cuts: Sequence[Cut]) -> list[tuple[int, int]]:
    return [(cut.row, cut.at) for cut in cuts]


def test_one_of_the_two_most_uncertain_tokens_is_cut_before_and_never_the_first() -> None:
    """H = 9, 1, 8, 7, 2 and K = 2: the candidates are 2 and 3; each is drawn by some seed, and nothing else."""
    rule = EntropyForks(**CURE | {"candidates": 2})
    drawn = Counter(rule.cuts(grown_responses([HIGHEST], samples=4, seed=seed), 0)[0].at for seed in range(200))
    assert set(drawn) == {2, 3} and 70 < drawn[2] < 130


def test_as_many_cuts_as_candidates_take_the_highest() -> None:
    rule = EntropyForks(forks=2, children=2, candidates=2, shortest=0)
    assert places(rule.cuts(grown_responses([HIGHEST], samples=5), 0)) == [(0, 2), (0, 2), (0, 3), (0, 3)]


def test_what_is_no_word_is_not_cut_before() -> None:
    words = [[True, True, False, True, True]]
    rule = EntropyForks(**CURE | {"candidates": 1})
    assert places(rule.cuts(grown_responses([HIGHEST], samples=4, words=words), 0)) == [(0, 3)] * 3


def test_a_response_without_a_word_is_sampled_anew_from_its_prompt() -> None:
    words = [[True, False, False, False, False]]
    assert places(EntropyForks(**CURE).cuts(grown_responses([HIGHEST], samples=4, words=words), 0)) == [(0, 0)] * 3


def test_padding_is_never_cut_before_however_uncertain() -> None:
    grown = grown_responses([[1.0, 2.0, 99.0, 99.0, 99.0]], samples=4, lengths=[2])
    assert places(EntropyForks(**CURE).cuts(grown, 0)) == [(0, 1)] * 3


@pytest.mark.parametrize(
    ("forks", "children", "samples", "first"), [(1, 3, 16, 4), (2, 2, 60, 12), (1, 3, 2, 1), (2, 2, 4, 1), (0, 3, 8, 8)]
)
def test_trees_of_the_papers_sizes(forks: int, children: int, samples: int, first: int) -> None:
    """CURE: 4 + 4·3 = 16; ETTRL: 12·(1 + 2·2) = 60; where G does not suffice, one tree with fewer branches."""
    assert EntropyForks(forks=forks, children=children, candidates=4, shortest=0).first(samples) == first


def test_each_prompt_gets_its_branches_behind_its_own_responses_in_equal_shares() -> None:
    rule = EntropyForks(**CURE)
    grown = grown_responses([HIGHEST] * 8, samples=16, group=[0, 0, 0, 0, 1, 1, 1, 1])
    cuts = rule.cuts(grown, 0)
    assert [cut.row for cut in cuts] == [row for row in range(8) for _ in range(3)]
    assert max(Counter(cuts).values()) == 3, "the branches of a response are behind one cut"


def test_what_is_left_over_goes_to_a_cut_of_the_first_response() -> None:
    rule = EntropyForks(forks=2, children=2, candidates=2, shortest=0)
    cuts = rule.cuts(grown_responses([HIGHEST] * 3, samples=16, group=[0, 0, 0]), 0)
    assert sorted(Counter(cuts).values()) == [2, 2, 2, 2, 2, 3] and Counter(cut.row for cut in cuts)[0] == 5


@pytest.mark.parametrize("forks", [2, 3])
def test_a_tree_samples_the_share_of_tokens_that_its_formula_says(forks: int) -> None:
    """(1 + B·N/2)/(1 + B·N) with B = 2 at uniform cuts: 0.6 and 4/7, over 4000 tokens within what lots leave."""
    rule = EntropyForks(forks=forks, children=2, candidates=999, shortest=0)
    grown = grown_responses([[0.0] * 1000] * 40, samples=40 * rule._tree, group=[0] * 40, seed=1)
    sampled = 40 * 1000 + sum(1000 - cut.at for cut in rule.cuts(grown, 0))
    assert sampled / (40 * rule._tree * 1000) == pytest.approx({2: 0.6, 3: 4 / 7}[forks], abs=0.03)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"children": -1}, r"algorithm\.branching\.children=-1: must be a whole number"),
        ({"candidates": 0}, r"algorithm\.branching\.candidates=0: are fewer than the 1 cuts"),
    ],
)
def test_what_cannot_be_chosen_is_refused(changes: dict[str, int], text: str) -> None:
    with pytest.raises(UserError, match=text):
        EntropyForks(**CURE | changes)


def test_lots_depend_on_prompt_and_seed_alone() -> None:
    rule = EntropyForks(**CURE | {"candidates": 4})
    both = grown_responses([HIGHEST] * 2, samples=2, group=[0, 1], keys=["a", "b"])
    alone = grown_responses([HIGHEST], samples=2, group=[0], keys=["b"])
    assert rule.cuts(both, 0)[1].at == rule.cuts(alone, 0)[0].at
    assert torch.equal(both.entropy[1], alone.entropy[0])
