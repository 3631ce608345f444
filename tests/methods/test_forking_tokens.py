"""80/20 on F0: the two tokens of nine with the highest entropy, and both readings of the mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from tests.methods.conftest import Result
from tvo_cli.methods.forking_tokens import forking_tokens
from tvo_cli.types import Tokens

WEIGHT = "algorithm.objective.weight"
NEUTRAL = {"forking_tokens": ("dapo", [f"{WEIGHT}.share=1"])}


@pytest.mark.parametrize(
    ("over_selected", "loss", "first", "second"),
    [("true", 0.169912, -0.261918, 0.43183), ("false", 0.037758, -0.058204, 0.095962)],
)
def test_on_f0(
    on_f0: Callable[..., Result],
    assert_near: Callable[..., None],
    over_selected: str,
    loss: float,
    first: float,
    second: float,
) -> None:
    found = on_f0("forking_tokens", f"{WEIGHT}.over_selected={over_selected}")
    assert found.loss == pytest.approx(loss, abs=1e-6)
    assert_near(found.gradient, [[0, 0, first], [0, 0, 0], [0, second, 0], [0, 0, 0]])


def chosen(tokens: Tokens, share: float) -> list[list[int]]:
    return (forking_tokens(tokens, share=share, over_selected=False) == 1).nonzero().tolist()


def test_exactly_k_even_among_ties_and_padding_never(on_f0: Callable[..., Result]) -> None:
    tokens = on_f0("forking_tokens").tokens
    equal = replace(tokens, entropy=torch.where(tokens.mask, 0.0, 9.0).double())
    assert chosen(equal, 0.2) == [[0, 0], [0, 1]]
    assert len(chosen(equal, 1.0)) == 9


def test_k_is_rounded_up_and_never_nothing(on_f0: Callable[..., Result]) -> None:
    tokens = on_f0("forking_tokens").tokens
    assert [len(chosen(tokens, share)) for share in (1e-6, 1 / 9, 0.12, 2 / 3)] == [1, 1, 2, 6]
