"""A branch does not learn from the tokens that it took over; its own have the places that they have in its response."""

from __future__ import annotations

from dataclasses import replace

import torch

from tvo_cli.advantage.conditional_group import ConditionalGroup
from tvo_cli.advantage.difficulty_entropy import DifficultyEntropyReward
from tvo_cli.advantage.whitened_returns import WhitenedReturn
from tvo_cli.methods.empg import empg
from tvo_cli.methods.position_shaping import position_shaping
from tvo_cli.types import Advantage, Experience

D = torch.float64
WHOLE = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0]]).bool()


def batch() -> Experience:
    """Two responses of 6 and 5 tokens, the second, which is right, a branch of the first one's first 3."""
    mask = WHOLE.clone()
    mask[1, :3] = False
    group, entropy = torch.zeros(2, dtype=torch.int64), torch.full((2, 6), 0.5, dtype=D)
    rewards, logp = torch.tensor([0.0, 1.0], dtype=D), torch.zeros(2, 6, dtype=D)
    return Experience(rewards, mask, group, group, logp, old_entropy=entropy, correct=rewards > 0)


def credited(experience: Experience) -> Advantage:
    return Advantage(torch.tensor([[-1.0], [1.0]], dtype=D) * experience.mask, scale=1.0)


def test_an_outcome_is_on_the_last_token_so_that_a_right_branch_learns_from_it() -> None:
    found = WhitenedReturn(discount=1.0, kl_coef=0.0, epsilon=1e-8)(batch()).values
    assert (found[1, 3:5] > 0).all() and (found[0] < 0).all() and (found[1, [0, 1, 2, 5]] == 0).all()


def test_a_step_that_a_branch_begins_within_has_its_credit() -> None:
    """Windows of two: tokens 2 and 3, of which 3 is its own, then 4."""
    base = batch()
    found = empg(base, credited(base), scaling=0.0, clarity=1.0, bonus=0.0, window=2, centre="none").values
    torch.testing.assert_close(found, credited(base).values, rtol=0, atol=0)
    paid = empg(base, credited(base), scaling=0.0, clarity=0.0, bonus=0.5, window=2, centre="none").values
    assert paid[1].tolist() == [0.0, 0.0, 0.0, 1.5, 1.0, 0.0], "one next step, none before its own tokens"


def test_windows_behind_a_cut_count() -> None:
    """Windows of one follow the first token of a branch of two."""
    made = DifficultyEntropyReward(window=1, percentile=0.5, average=0.9, start=0.5, rate=0.0, largest=2.0)
    _, whole = made._window_means(batch())
    assert whole.sum(1).tolist() == [5, 1] and whole[1, 3]


def test_the_length_of_a_branch_is_its_responses() -> None:
    """5 tokens against 4: the branch is the longer one, though 2 are its own."""
    base = batch()
    base = replace(base, mask=base.mask & (torch.arange(6) < torch.tensor([[4], [5]])))
    upper = ConditionalGroup(metric="length", between=1.0, handicap=1.0, schedule="constant")._is_upper_half(base)
    assert upper.tolist() == [False, True]


def test_a_late_token_of_a_branch_is_as_late_as_in_its_response() -> None:
    base = batch()
    settings = {"gamma": 0.1, "steepness": 15.0, "first": -1, "last": 10}
    found, whole = (
        position_shaping(one, credited(one), **settings).values  # type: ignore[arg-type]
        for one in (base, replace(base, mask=WHOLE))
    )
    torch.testing.assert_close(found, torch.where(base.mask, whole, 0.0), rtol=0, atol=0)
    assert found[1, 3].item() > 1.05
