"""What self-imitation keeps, when it is used, and what is drawn; numbers by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tvo_cli.errors import UserError
from tvo_cli.rollout.self_imitation import KeptResponses, SelfImitation


def imitation(**changed: Any) -> SelfImitation:
    chosen: dict[str, Any] = {"size": 2, "tolerance": 5, "baselines": 10240, "strength": 1.0, "rise": 10.0}
    return SelfImitation(**(chosen | changed), weight=lambda tokens: torch.ones_like(tokens.logp))


def batch(rewards: list[float], step: int, width: int = 3) -> KeptResponses:
    """Responses whose first token says which they are: 100·step + row."""
    n = len(rewards)
    ids = torch.arange(n)[:, None] + 100 * step + torch.zeros(n, width, dtype=torch.int64)
    seen = torch.ones(n, width, dtype=torch.bool)
    return KeptResponses(ids, seen, ids, seen, -ids.float(), torch.tensor(rewards), torch.full((n,), step))


def taken(made: SelfImitation, rewards: list[float], step: int, means: list[float], **more: Any) -> None:
    """Take in a batch whose advantages are the rewards minus a half."""
    found = batch(rewards, step, **more)
    made.end_batch(found, found.rewards - 0.5, torch.tensor(means), drawn=False)


def numbers(kept: KeptResponses) -> list[int]:
    found: list[int] = kept.response_ids[:, 0].tolist()
    return found


@pytest.mark.parametrize(("step", "expected"), [(-1, 0.0), (4, 0.5), (9, 1.0), (30, 1.0)])
def test_the_weight_rises_by_half_a_cosine(step: int, expected: float) -> None:
    assert imitation().loss_weight(step) == pytest.approx(expected)
    assert imitation(strength=0.3).loss_weight(step) == pytest.approx(0.3 * expected)


def test_the_baseline_is_the_median_of_group_means_and_what_is_below_it_is_not_drawn() -> None:
    """m = 0.4; four rewards of 1 are Â = 0.6, the one of 0.39 is −0.01."""
    made = imitation()
    made.end_batch(batch([1, 1, 0.39, 1, 1], 0), torch.ones(5), torch.tensor([0.2, 0.6, 0.4]), drawn=False)
    assert made.baseline == pytest.approx(0.4) and made.is_full
    for seed in range(20):
        drawn = made.draw(torch.Generator().manual_seed(seed))
        assert drawn is not None and len(drawn[0]) == 2
        assert drawn[1].tolist() == pytest.approx([0.6, 0.6]) and 2 not in numbers(drawn[0])


def test_it_is_full_only_above_one_and_a_half_times_its_size() -> None:
    made = imitation()
    taken(made, [1, 1, 1], 0, [0.4])
    assert not made.is_full and made.draw(torch.Generator()) is None
    taken(made, [1], 1, [0.4])
    assert made.is_full


@pytest.mark.parametrize(("good", "size", "expected"), [(100, 128 // 2, 64), (100, 66, 64), (7, 4, 4), (31, 20, 16)])
def test_the_largest_power_of_two_up_to_the_size_is_drawn(good: int, size: int, expected: int) -> None:
    made = imitation(size=size)
    taken(made, [1.0] * good, 0, [0.5])
    drawn = made.draw(torch.Generator().manual_seed(3))
    assert drawn is not None and len(drawn[0]) == len(set(numbers(drawn[0]))) == expected


def test_only_good_responses_of_the_last_batches_are_kept() -> None:
    made = imitation(tolerance=2)
    for step in range(5):
        taken(made, [1.0, 0.0], step, [0.5])
        oldest = int(made.kept.steps.min())
        assert oldest >= step - 3, "older ones leave when the next batch comes"
    assert numbers(made.kept) == [100, 200, 300, 400]
    taken(made, [0.0, 0.0], 5, [0.0])
    assert numbers(made.kept) == [200, 300, 400], "the newest kept are of batch 4"


def test_after_a_draw_only_the_batch_itself_is_kept() -> None:
    made = imitation()
    taken(made, [1.0, 1.0], 0, [0.5])
    found = batch([1.0, 0.0], 1)
    made.end_batch(found, found.rewards - 0.5, torch.tensor([0.5]), drawn=True)
    assert numbers(made.kept) == [100]
    made.forget()
    assert len(made.kept) == 0


def test_the_oldest_batches_means_leave_when_there_were_too_many() -> None:
    made = imitation(baselines=3)
    for step in range(4):
        taken(made, [0.0], step, [float(step), float(step)])
    assert made.means.tolist() == [2.0, 2.0, 3.0, 3.0], "those of 0 and 1 left once four were more than three"


def test_rewards_of_which_the_median_is_the_largest_are_never_used_again() -> None:
    made = imitation(size=1)
    for step in range(9):
        taken(made, [1.0] * 4, step, [1.0])
    assert not made.is_full and len(made.kept) <= 4 * 7


def test_prompts_are_padded_on_the_left_and_responses_on_the_right() -> None:
    both = batch([1.0], 0, width=2).joined(batch([1.0], 1, width=3))
    assert both.prompt_mask.tolist() == [[False, True, True], [True, True, True]]
    assert both.mask.tolist() == [[True, True, False], [True, True, True]]
    assert both.prompt_ids[0].tolist() == [0, 0, 0] and both.old_logp[1].tolist() == [-100.0] * 3


def test_all_that_it_carries_comes_back() -> None:
    made, twin = imitation(), imitation()
    for step in range(3):
        taken(made, [1.0, 0.0, 1.0], step, [0.25, 0.75])
    twin.load_tensors({name: value.clone() for name, value in made.tensors().items()})
    assert all(torch.equal(value, _named(twin, name)) for name, value in made.tensors().items())
    assert made.baseline == twin.baseline == 0.5


def _named(made: SelfImitation, name: str) -> Tensor:
    return made.tensors()[name]


def test_a_weight_that_is_no_function_is_refused_before_the_first_batch() -> None:
    with pytest.raises(UserError, match=r"algorithm\.self_imitation\.weight=None: is no function of tokens"):
        SelfImitation(size=2, tolerance=5, baselines=10, strength=1.0, rise=10.0, weight=None)  # type: ignore[arg-type]
