"""What the objective is shown: the whole minibatch where it is read, old entropies, and the sampler as the anchor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tests.training.conftest import MetricRows, Runs, largest_difference, trained_policy
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.update import minibatch_forward, minibatch_gradient
from tvo_cli.types import Tokens

STATISTICS = {
    "steer": (),
    "steer_exact": (),
    "forking_tokens": ("algorithm.sampling.most=1",),
    "clip_cov": ("algorithm.objective.weight.low=0.1", "algorithm.objective.weight.share=0.05"),
}
ONE_STEP = ("trainer.steps=1", "rollout.samples=4")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n != "steer_exact" else n for n in STATISTICS]
)
def test_no_split_changes_an_update_whose_weights_are_statistics(run: Runs, name: str) -> None:
    """One forward pass a minibatch, against parts of one prompt; and apart, as released, it is another update."""
    given = (f"algorithm={name}", *STATISTICS[name], *ONE_STEP)
    given = (*given, "rollout.epochs=1")
    whole = trained_policy(run("whole", *given, "trainer.variance_parts=1"))
    split = trained_policy(run("split", *given, "trainer.microbatch_rows=4"))
    apart = trained_policy(
        run("apart", *given, "trainer.microbatch_rows=4", "algorithm.objective.reads.minibatch=false")
    )
    assert largest_difference(whole, split) < 1e-6
    assert largest_difference(whole, apart) > 1e-5


@pytest.mark.slow
def test_a_shape_of_the_whole_minibatch_is_not_taken_for_damping(run: Runs, steps: MetricRows) -> None:
    """At π = π_old nothing is damped, also where a part alone would have another mean entropy than the minibatch."""
    given = ("algorithm=aepo_agentic", *ONE_STEP, "rollout.epochs=1", "rollout.minibatches=1")
    found = steps(run("split", *given, "trainer.microbatch_rows=4", "trainer.variance_parts=1"))[0]
    assert found["policy/damped"] == pytest.approx(0.0, abs=1e-4)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Tokens]:
    """Every slice of tokens that the objective was shown in a run."""
    seen: list[Tokens] = []
    forwarded = minibatch_forward.forward_parts

    def spy(*given: Any) -> Iterator[minibatch_forward.ForwardedPart]:
        for part in forwarded(*given):
            seen.append(part.tokens)
            yield part

    monkeypatch.setattr(minibatch_gradient, "forward_parts", spy)
    return seen


@pytest.mark.parametrize("source", ["sampler", pytest.param("trainer", marks=pytest.mark.slow)])
def test_the_old_entropy_is_that_of_the_policy_that_sampled(
    run: Runs, shown: list[Tokens], batches: list[RolloutBatch], source: str
) -> None:
    run("a", "algorithm=steer", "optimizer.lr=1e-3", f"trainer.old_logp={source}", *ONE_STEP)
    first, last = shown[0], shown[-1]
    assert first.old_entropy is not None and last.old_entropy is not None
    torch.testing.assert_close(first.old_entropy, first.entropy.detach(), rtol=0, atol=2e-5)
    assert not torch.allclose(last.old_entropy[last.mask], last.entropy[last.mask], rtol=0, atol=1e-2)
    assert not first.old_entropy.requires_grad
    assert (batches[0].experience.old_logp is batches[0].rollout.logp) == (source == "sampler")


def test_what_nobody_reads_is_not_computed(run: Runs, shown: list[Tokens]) -> None:
    run("a", "algorithm=grpo", *ONE_STEP)
    assert all(t.whole is None and t.old_entropy is None and t.covariance is None for t in shown)


@pytest.mark.slow
def test_the_slices_of_a_minibatch_are_its_rows_in_order(run: Runs, shown: list[Tokens]) -> None:
    run("a", "algorithm=steer_exact", *ONE_STEP, "trainer.microbatch_rows=4")
    assert len({id(tokens.whole) for tokens in shown}) == 4
    for tokens in shown:
        assert tokens.whole is not None
        here = slice(tokens.start, tokens.start + len(tokens.mask))
        for name in ("logp", "entropy", "covariance", "advantage", "mask", "share"):
            torch.testing.assert_close(getattr(tokens.whole, name)[here], getattr(tokens, name).detach())
        assert tokens.whole.seed == tokens.seed and not tokens.whole.logp.requires_grad


@pytest.mark.slow
@pytest.mark.usefixtures("another_precision")
@pytest.mark.parametrize("name", ["dppo_tv", "dppo_kl", "grpo"])
def test_dppo_is_anchored_at_what_the_sampler_recorded(run: Runs, batches: list[RolloutBatch], name: str) -> None:
    """In bfloat16 the trainer recomputes log π_old for the others, and corrects for the difference."""
    run("a", f"algorithm={name}", "trainer.precision=bfloat16", *ONE_STEP)
    (batch,) = batches
    assert (batch.experience.old_logp is batch.rollout.logp) == (name != "grpo")
    assert (batch.importance is None) == (name != "grpo")
