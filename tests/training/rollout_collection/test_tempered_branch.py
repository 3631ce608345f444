"""SCOPE's branch in whole runs: the sampler is asked for the temperature that follows from the batch before."""

from __future__ import annotations

from typing import Any

import pytest

from tests.training.conftest import MetricRows, Runs
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.rollout_collection import collect_rollouts

OWN = 0.9  # rollout.temperature
SCOPE = (
    "algorithm=scope",
    "rollout.epochs=1",
    "rollout.minibatches=1",
    "trainer.steps=2",
    f"rollout.temperature={OWN}",
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The temperatures that a run asks the sampler for, besides its own."""
    seen: list[float] = []
    sample = collect_rollouts.sample_responses

    def spy(session: Any, problems: Any, number: int = 0, sampling: Any = None) -> Any:
        if sampling is not None:
            seen.append(sampling.temperature)
        return sample(session, problems, number, sampling)

    monkeypatch.setattr(collect_rollouts, "sample_responses", spy)
    return seen


@pytest.mark.slow
def test_the_second_branch_is_sampled_at_what_the_first_batch_says(
    run: Runs, steps: MetricRows, asked: list[float], batches: list[RolloutBatch]
) -> None:
    """H of the first batch is the mean −log π of its own tokens: those of the branch are left out."""
    rows = steps(run("scope", *SCOPE))
    mask = batches[0].own_tokens
    assert int(mask.sum()) < int(batches[0].experience.mask.sum()), "there is a branch"
    entropy = float(-batches[0].experience.old_logp[mask].mean())
    second = 1.0 + 0.5 - entropy
    assert 0.8 < second < 1.2 and second != pytest.approx(1.0, abs=1e-3), "between its bounds, or it shows nothing"
    assert [row["sampling/branch_entropy"] for row in rows] == pytest.approx([0.0, entropy], rel=1e-5)
    assert [row["sampling/branch_temperature"] for row in rows] == pytest.approx([1.2, second], rel=1e-5)
    assert asked == pytest.approx([OWN * 1.2, OWN * second], rel=1e-5)


@pytest.mark.slow
def test_without_a_branch_there_is_nothing_to_read(run: Runs, steps: MetricRows, asked: list[float]) -> None:
    row = steps(run("none", *SCOPE, "algorithm.sampling.share=0", "trainer.steps=1"))[0]
    assert not asked and not [name for name in row if name.startswith("sampling/branch_")]
