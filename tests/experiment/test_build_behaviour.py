"""`behaviour` of `tvo variance`: refused by its own key, before anything is loaded where that can be told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from tvo_cli import config as configuration
from tvo_cli.errors import UserError
from tvo_cli.experiment import build_behaviour as building
from tvo_cli.experiment import early_checks
from tvo_cli.training.behaviour_policy import BehaviourPolicy


def policy(width: int = 2, words: int = 3, base: str | None = None) -> Any:
    """As much of a policy as is compared."""
    network = nn.Linear(width, 2)
    tokenizer = SimpleNamespace(get_vocab=lambda: {str(number): number for number in range(words)})
    parts = {"trained_tensors": network.state_dict, "parameters": network.parameters}
    return SimpleNamespace(tokenizer=tokenizer, base=base, **parts)


def test_one_that_is_not_there_is_refused_by_its_own_key() -> None:
    chosen = configuration.compose(["behaviour=./nope", "output_dir=run"], "variance")
    with pytest.raises(UserError, match=r"^behaviour=\./nope: no such folder\."):
        early_checks.check_variance_early(chosen)


def test_without_one_the_policy_samples_itself_and_one_of_the_same_network_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own, other = policy(), policy()
    monkeypatch.setattr(building, "load_policy", lambda node, device: other)
    assert building.build_behaviour(configuration.compose(["output_dir=run"], "variance"), own) is None
    chosen = configuration.compose(["behaviour=packaged:tiny", "output_dir=run"], "variance")
    found = building.build_behaviour(chosen, own)
    assert isinstance(found, BehaviourPolicy) and found.policy is own
    assert torch.equal(torch.as_tensor(found.weights["weight"]), other.trained_tensors()["weight"])


@pytest.mark.parametrize("unlike", [{"width": 3}, {"words": 4}, {"base": "an adapter's"}])
def test_another_network_tokenizer_or_base_is_refused(unlike: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "load_policy", lambda node, device: policy(**unlike))
    chosen = configuration.compose(["behaviour=packaged:tiny", "output_dir=run"], "variance")
    with pytest.raises(UserError, match=r"^behaviour=packaged:tiny: is another network than model\.path=packaged:tiny"):
        building.build_behaviour(chosen, policy())
