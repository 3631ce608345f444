"""What a piece returns is one number a token, or is refused by its name."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from tvo_cli.errors import UserError
from tvo_cli.experiment.contract.contract_samples import sample_tokens
from tvo_cli.maths.importance_ratio import token_ratio
from tvo_cli.objective import Objective
from tvo_cli.objective.piece_output import per_token_advantage
from tvo_cli.objective.token_function import every_token, plain_advantage
from tvo_cli.types import Advantage, Tokens


def surrogate(ratio: torch.Tensor, advantage: torch.Tensor) -> torch.Tensor:
    return ratio * advantage


def mine(tokens: Tokens, *, found: object) -> object:
    return found


WRONG = [(1.0, "float"), (None, "NoneType"), (torch.ones(4), "a tensor [4]"), (torch.ones(4, 1), "a tensor [4, 1]")]


@pytest.mark.parametrize("piece", ["weight", "shape", "surrogate", "ratio"])
@pytest.mark.parametrize(("found", "said"), WRONG, ids=lambda value: str(value)[:20])
def test_another_result_is_refused_where_it_is_returned(piece: str, found: object, said: str) -> None:
    right = {"weight": every_token, "shape": plain_advantage, "surrogate": surrogate, "ratio": token_ratio}
    wrong = partial(mine, found=found) if piece in ("weight", "shape") else lambda *given: found
    objective = Objective(**{**right, piece: wrong}, reduce=lambda mask: mask / mask.sum())  # type: ignore[arg-type]
    with pytest.raises(UserError) as caught:
        objective(sample_tokens())
    assert caught.value.key == f"algorithm.objective.{piece}"
    assert f"{piece} returned {said}, a tensor [B, T] is needed (test_piece_output.py, line " in str(caught.value)


def test_an_estimator_returns_an_advantage() -> None:
    mask = torch.ones(4, 6, dtype=torch.bool)
    assert per_token_advantage(mine, Advantage(torch.ones(4, 6), 1.0), mask).scale == 1.0
    with pytest.raises(UserError, match="estimator returned Tensor, an Advantage is needed"):
        per_token_advantage(mine, torch.ones(4, 6), mask)
    with pytest.raises(UserError, match=r"estimator returned a tensor \[4\], a tensor \[B, T\] is needed"):
        per_token_advantage(mine, Advantage(torch.ones(4), 1.0), mask)
