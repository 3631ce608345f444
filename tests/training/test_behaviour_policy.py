"""A behaviour policy: other weights sample, and the gradient is the policy's own."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.conftest import composed
from tvo_cli.experiment.build_session import build_session
from tvo_cli.model import Policy, load_policy
from tvo_cli.training import gradient_variance_probe
from tvo_cli.training.behaviour_policy import BehaviourPolicy
from tvo_cli.training.gradient_variance_probe import BatchGradient, GradientMoments, collect_gradient_moments
from tvo_cli.training.session import Session


def moved_weights(session: Session) -> dict[str, Tensor]:
    """The policy's, each a little further along a fixed direction."""
    torch.manual_seed(0)
    weights = session.learner.policy.trained_tensors()
    return {name: tensor + 0.02 * torch.randn_like(tensor) for name, tensor in weights.items()}


def moments(folder: Path, *, behind: bool) -> tuple[GradientMoments, dict[str, float]]:
    """Of two batches, sampled by the policy itself or by moved weights; and what its control variate has learnt."""
    with ExitStack() as resources:
        session = build_session(composed(("algorithm=grpo_shrunk_cv", "rollout.prompts=4")), folder, resources)
        behaviour = BehaviourPolicy(session.learner.policy, moved_weights(session)) if behind else None
        before = {name: tensor.clone() for name, tensor in session.learner.policy.trained_tensors().items()}
        found = collect_gradient_moments(session, 2, 1, None, lambda done, total: None, behaviour)
        after = session.learner.policy.trained_tensors()
        assert all(torch.equal(tensor, after[name]) for name, tensor in before.items()), "π stays, to the bit"
        return found, session.learner.algorithm.objective.readings(0.0)


def beside() -> tuple[Policy, BehaviourPolicy]:
    """The embedded model before any training, and one that samples in its place."""
    policy = load_policy({"path": "fresh"}, device="cpu")
    weights = {name: tensor + 1.0 for name, tensor in policy.trained_tensors().items()}
    return policy, BehaviourPolicy(policy, weights)


def is_sampling(policy: Policy, behaviour: BehaviourPolicy) -> bool:
    """Whether the network has the behaviour policy's weights, or else its own, whole."""
    held = {
        name: torch.equal(t, torch.as_tensor(behaviour.weights[name])) for name, t in policy.trained_tensors().items()
    }
    own = {name: torch.equal(t, behaviour.own[name]) for name, t in policy.trained_tensors().items()}
    assert set(held.values()) | set(own.values()) == {True, False} and held != own
    return all(held.values())


def test_inside_the_network_has_the_weights_that_sample_also_where_it_fails() -> None:
    policy, behaviour = beside()
    assert not is_sampling(policy, behaviour)
    with pytest.raises(ValueError, match="sampling"), behaviour.in_place():
        assert is_sampling(policy, behaviour)
        raise ValueError("sampling")
    assert not is_sampling(policy, behaviour)


def test_it_samples_every_batch_and_is_what_pieces_learn_at_and_gradients_are_the_policy_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy, behaviour = beside()
    seen: list[tuple[str, bool]] = []

    def note(what: str, result: Any = None) -> Any:
        seen.append((what, is_sampling(policy, behaviour)))
        return result

    batch = SimpleNamespace(experience=SimpleNamespace(rewards=torch.ones(2)))
    gradient = BatchGradient(torch.ones(3, dtype=torch.float64), 0.25)
    monkeypatch.setattr(gradient_variance_probe, "sample_batch", lambda *_: note("sampled"))
    monkeypatch.setattr(gradient_variance_probe, "assemble_batch", lambda *_: note("assembled", batch))
    monkeypatch.setattr(gradient_variance_probe, "gradient_of_batch", lambda *_: note("gradient", gradient))
    monkeypatch.setattr(gradient_variance_probe, "adapt_after_batch", lambda *_: None)
    session: Any = SimpleNamespace(counters=SimpleNamespace(step=0), learner=None)
    found = collect_gradient_moments(session, 2, 1, None, lambda done, total: None, behaviour)
    measured = [("sampled", True), ("assembled", True), ("gradient", False)]
    assert seen == [("sampled", True), ("assembled", True), ("gradient", True), *measured, *measured]
    assert found.displacements == [0.25, 0.25] and session.counters.step == 3


@pytest.mark.slow
def test_ratios_are_to_the_policy_that_sampled_and_pieces_learn_where_it_is(tmp_path: Path) -> None:
    on_policy, _ = moments(tmp_path, behind=False)
    off_policy, beta = moments(tmp_path, behind=True)
    assert max(on_policy.displacements) < 1e-5 and min(off_policy.displacements) > 0.003
    assert off_policy.rewards != on_policy.rewards, "other responses, to the same problems"
    with ExitStack() as resources:
        session = build_session(composed(("algorithm=grpo_shrunk_cv", "rollout.prompts=4")), tmp_path, resources)
        session.learner.policy.restore(moved_weights(session))
        itself = collect_gradient_moments(session, 2, 1, None, lambda done, total: None)
        assert itself.rewards == off_policy.rewards and itself.squares != off_policy.squares
        assert session.learner.algorithm.objective.readings(0.0) == beta, "learnt at the parameters that sample"
