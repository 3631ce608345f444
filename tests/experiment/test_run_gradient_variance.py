"""Estimators of `tvo variance`, an algorithm's name and overrides of its own behind it; the policy that samples."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.experiment import early_checks, run_gradient_variance
from tvo_cli.training.behaviour_policy import BehaviourPolicy


def sizes_of_sessions(monkeypatch: pytest.MonkeyPatch, folder: Path, *names: str) -> list[tuple[int, int]]:
    """Prompts and responses of the session that each estimator would be measured in."""
    seen: list[tuple[int, int]] = []

    class Measured(Exception):
        """The session was asked for."""

    def note(chosen: Any, *given: Any) -> None:
        seen.append((int(chosen.rollout.prompts), int(chosen.rollout.samples)))
        raise Measured

    monkeypatch.setattr(run_gradient_variance, "build_session", note)
    made = config.compose([f"output_dir={folder}"], "variance")
    for name in names:
        with pytest.raises(Measured):
            run_gradient_variance._gradient_moments_of(made, name, 0, 2, None, lambda done, total: None)
    return seen


@pytest.mark.slow
def test_an_estimator_may_have_overrides_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = ("grpo", "grpo rollout.prompts=32 rollout.samples=4", "tvo_one_response")
    assert sizes_of_sessions(monkeypatch, tmp_path, *names) == [(16, 8), (32, 4), (128, 1)]
    with pytest.raises(UserError, match=r"rollouts=128: algorithm=grpo rollout\.prompts=8 draws 64 a batch"):
        sizes_of_sessions(monkeypatch, tmp_path, "grpo rollout.prompts=8")
    with pytest.raises(UserError, match=r"^algorithm\.next_token\.coefficient=1\.0: .*learns demonstrations too"):
        sizes_of_sessions(monkeypatch, tmp_path, "recap_next_token")


def policy(width: int = 2, words: int = 3, base: str | None = None) -> Any:
    """As much of a policy as is compared."""
    network = nn.Linear(width, 2)
    tokenizer = SimpleNamespace(get_vocab=lambda: {str(number): number for number in range(words)})
    parts = {"trained_tensors": network.state_dict, "parameters": network.parameters}
    return SimpleNamespace(tokenizer=tokenizer, base=base, **parts)


def test_one_that_is_not_there_is_refused_by_its_own_key() -> None:
    chosen = config.compose(["behaviour=./nope", "output_dir=run"], "variance")
    with pytest.raises(UserError, match=r"^behaviour=\./nope: no such folder\."):
        early_checks.check_variance_early(chosen)


def test_without_one_the_policy_samples_itself_and_one_of_the_same_network_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own, other = policy(), policy()
    monkeypatch.setattr(run_gradient_variance, "load_policy", lambda node, device: other)
    assert run_gradient_variance._behaviour_policy(config.compose(["output_dir=run"], "variance"), own) is None
    chosen = config.compose(["behaviour=packaged:tiny", "output_dir=run"], "variance")
    found = run_gradient_variance._behaviour_policy(chosen, own)
    assert isinstance(found, BehaviourPolicy) and found.policy is own
    assert torch.equal(torch.as_tensor(found.weights["weight"]), other.trained_tensors()["weight"])


@pytest.mark.parametrize("unlike", [{"width": 3}, {"words": 4}, {"base": "an adapter's"}])
def test_another_network_tokenizer_or_base_is_refused(unlike: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_gradient_variance, "load_policy", lambda node, device: policy(**unlike))
    chosen = config.compose(["behaviour=packaged:tiny", "output_dir=run"], "variance")
    with pytest.raises(UserError, match=r"^behaviour=packaged:tiny: is another network than model\.path=packaged:tiny"):
        run_gradient_variance._behaviour_policy(chosen, policy())
