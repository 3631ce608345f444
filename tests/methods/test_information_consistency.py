"""Information-consistent GRPO: entropies of words and how alike a group's are, by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.methods.conftest import composed
from tvo_cli.experiment.build_algorithm import build_estimator
from tvo_cli.methods.information_consistency import _entropy_of_words, information_consistency
from tvo_cli.types import Advantage, Experience

D = torch.float64
NEUTRAL: dict[str, tuple[str, list[str]]] = {
    "information_consistency": ("grpo", ["algorithm.reward_shaping.information_consistency.strength=0"])
}
SETTINGS: dict[str, Any] = {"strength": 1.0, "amount": 0.5, "stability": 0.5}


@pytest.fixture
def batch() -> Experience:
    """Words aaaa, aabb | abcd, abcd; padding holds another word. H: 0, ln 2, ln 4, ln 4."""
    ids = torch.tensor([[7, 7, 7, 7, 1], [7, 7, 8, 8, 2], [5, 6, 7, 8, 3], [8, 7, 6, 5, 4]])
    return Experience(
        rewards=torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=D),
        mask=torch.arange(5).expand(4, 5) < 4,
        group=torch.tensor([0, 0, 1, 1]),
        source=torch.zeros(4, dtype=torch.int64),
        old_logp=torch.zeros(4, 5, dtype=D),
        response_ids=ids,
    )


def test_amount_and_likeness(batch: Experience) -> None:
    """Ĥ = 0, ½, 1, 1; F = ½ in the first group and 1 in the second, whose words are the same."""
    expected = [1.0 + 0.25, 0.25 + 0.25, 0.5 + 0.5, 0.5 + 0.5]
    assert information_consistency(batch, **SETTINGS).tolist() == pytest.approx(expected)
    alone = information_consistency(batch, **SETTINGS | {"amount": 0.0}) - batch.rewards
    assert alone.tolist() == pytest.approx([0.25, 0.25, 0.5, 0.5])


def advantage_of(recipe: str, batch: Experience, *overrides: str) -> Advantage:
    """What a recipe's shapings and its estimator make of a batch."""
    return build_estimator(composed(recipe, *overrides).algorithm)(batch)


def test_likeness_cancels_in_advantages_of_a_group_and_what_acts_is_the_amount(batch: Experience) -> None:
    """F alone leaves GRPO's advantages; where R says nothing and Ĥ is 0 and ½, the second is the better one."""
    plain = advantage_of("grpo", batch).values
    alone = ("algorithm.reward_shaping.information_consistency.amount=0",)
    found = advantage_of("information_consistency", batch, *alone).values
    assert (plain[:2, 0].abs() > 0.5).all() and torch.allclose(found, plain, rtol=0, atol=1e-9)
    wrong = replace(batch, rewards=torch.zeros(4, dtype=D))
    assert torch.equal(advantage_of("grpo", wrong).values, torch.zeros(4, 5, dtype=D))
    assert torch.equal(advantage_of("information_consistency", wrong, *alone).values, torch.zeros(4, 5, dtype=D))
    first, second = advantage_of("information_consistency", wrong).values[:2, 0].tolist()
    assert first < -0.5 and second == pytest.approx(-first), "the more different words, the better"


def test_likeness_acts_where_the_baseline_is_not_the_groups(batch: Experience) -> None:
    shaping = information_consistency(batch, **SETTINGS | {"amount": 0.0}) - batch.rewards
    assert (shaping - shaping.mean()).tolist() == pytest.approx([-0.125, -0.125, 0.125, 0.125])


def test_no_strength_changes_no_bit(batch: Experience) -> None:
    assert torch.equal(information_consistency(batch, **SETTINGS | {"strength": 0.0}), batch.rewards)


def words(rows: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of seven words and of every length, the first empty; one of the words on padding."""
    made = torch.Generator().manual_seed(0)
    mask = torch.arange(width) < torch.linspace(0, width, rows).long()[:, None]
    return torch.where(mask, torch.randint(0, 7, (rows, width), generator=made), 3), mask


def test_words_are_counted_as_by_comparing_every_pair_to_the_bit() -> None:
    ids, mask = words(9, 40)
    length = mask.sum(1).clamp(min=1)
    same = (ids[:, :, None] == ids[:, None, :]) & mask[:, :, None] & mask[:, None, :]
    law = same.sum(2).clamp(min=1) / length[:, None]
    expected = -torch.where(mask, law.log(), 0.0).sum(1) / length
    assert torch.equal(_entropy_of_words(ids, mask), expected)


class Largest(TorchDispatchMode):
    """Elements of the largest tensor that is made inside."""

    found = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call it, and look at what it returns."""
        made = func(*args, **kwargs or {})
        for one in made if isinstance(made, tuple) else (made,):
            self.found = max(self.found, one.numel() if isinstance(one, torch.Tensor) else 0)
        return made


def test_memory_is_of_the_tokens_and_not_of_their_pairs() -> None:
    ids, mask = words(4, 64)
    with Largest() as largest:  # type: ignore[no-untyped-call]
        _entropy_of_words(ids, mask)
    assert 0 < largest.found <= ids.numel()
