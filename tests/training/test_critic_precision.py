"""The precision and the micro-batches of the critic are those of the policy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.training.conftest import Runs
from tvo_cli.model.critic import Critic
from tvo_cli.training.update.learner import CriticLearner
from tvo_cli.types import Rollout


def test_values_are_computed_within_the_autocast_of_the_run() -> None:
    """Forward and, through what autograd kept of it, backward."""
    seen: list[bool] = []

    def values(*columns: torch.Tensor) -> torch.Tensor:
        seen.append(torch.is_autocast_enabled("cpu"))
        return columns[0].float()

    runtime: Any = SimpleNamespace(autocast=lambda: torch.autocast("cpu", dtype=torch.bfloat16))
    critic: Any = SimpleNamespace(values=values)
    learner = CriticLearner(critic, torch.optim.SGD([torch.zeros(1)]), 0.1, 0.2, 1.0, runtime)
    ids, mask = torch.zeros(2, 3, dtype=torch.int64), torch.ones(2, 3, dtype=torch.bool)
    rollout = Rollout(ids, mask, ids, mask, ids.float(), mask[:, 0], ids[:, 0], ("", ""))
    learner.values(rollout, torch.arange(2))
    assert seen == [True]


@pytest.mark.slow
@pytest.mark.usefixtures("another_precision")
def test_the_critic_computes_in_the_precision_of_the_policy(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its forwards for the first values and for its own step alike; the values themselves stay float32."""
    seen: list[tuple[bool, torch.dtype]] = []
    values = Critic.values

    def watched(self: Critic, *columns: Any) -> torch.Tensor:
        found = values(self, *columns)
        seen.append((torch.is_autocast_enabled("cpu"), found.dtype))
        return found

    monkeypatch.setattr(Critic, "values", watched)
    run("a", "algorithm=ppo", "trainer.precision=bfloat16", "trainer.steps=1", "trainer.variance_parts=1")
    assert len(seen) > 2 and set(seen) == {(True, torch.float32)}


@pytest.mark.slow
def test_the_critics_first_values_take_no_more_rows_at_once_than_an_update(
    run: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []
    values = CriticLearner.values

    def watched(self: CriticLearner, rollout: Rollout, part: torch.Tensor) -> torch.Tensor:
        rows.append(len(part))
        return values(self, rollout, part)

    monkeypatch.setattr(CriticLearner, "values", watched)
    run("a", "algorithm=ppo", "trainer.steps=1")
    assert max(rows) == 8, "16 responses in 2 minibatches"
    rows.clear()
    run("b", "algorithm=ppo", "trainer.steps=1", "trainer.microbatch_rows=4")
    assert max(rows) == 4
