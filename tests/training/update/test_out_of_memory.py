"""Out of memory: micro-batches are halved once, the gradient is that of an undisturbed run, and it is remembered."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.gradients import gradients
from tests.training.conftest import Checksum, MetricRows, Runs, before_each_update
from tvo_cli import experiment
from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.errors import UserError
from tvo_cli.parallel.ranks import Ranks
from tvo_cli.training import rng
from tvo_cli.training.counters import RunCounters
from tvo_cli.training.update import backward, learner, minibatch_gradient, policy_update
from tvo_cli.training.update.minibatches import Minibatch, cut_into_minibatches, halve_microbatches
from tvo_cli.training.update.out_of_memory import (
    POLICY,
    MemoryGuard,
    out_of_memory_in_sharded_pass,
    within_memory_of_all_ranks,
)

ONE_UPDATE = ("trainer.steps=1", "rollout.epochs=1", "rollout.minibatches=1")
RuleOut = Callable[..., None]


@pytest.fixture
def memory_ends(monkeypatch: pytest.MonkeyPatch) -> RuleOut:
    """Let backward passes of the given numbers run out of memory, after they have done their work and drawn numbers."""

    def at(*numbers: int) -> None:
        count = [0]

        def failing(scores: tuple[Tensor, ...], forces: tuple[Tensor, ...]) -> None:
            backward.backward_through_network(scores, forces)
            count[0] += 1
            if count[0] in numbers:
                random.random(), torch.rand(3)
                raise torch.OutOfMemoryError("CUDA out of memory.")

        monkeypatch.setattr(minibatch_gradient, "backward_through_network", failing)

    return at


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[Tensor], dict[str, Tensor]]]:
    """Gradients and generators before every optimiser step."""
    seen: list[tuple[list[Tensor], dict[str, Tensor]]] = []
    step = policy_update._optimizer_step

    def stepping(one: learner.Learner, *rest: Any) -> None:
        seen.append((gradients(one.parameters), rng.rng_state()))
        step(one, *rest)

    monkeypatch.setattr(policy_update, "_optimizer_step", stepping)
    return seen


def same_within_rounding(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.allclose(a, b, rtol=1e-4, atol=1e-7) for a, b in zip(one, other, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "number"),
    [
        ("tvo", 1),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (("tvo", 2), ("grpo", 1), ("grpo", 2), ("siren", 1), ("siren", 2))
        ),
    ],
)
def test_the_gradient_is_that_of_an_undisturbed_run(
    run: Runs, taken: list[Any], memory_ends: RuleOut, steps: MetricRows, algorithm: str, number: int
) -> None:
    words = (f"algorithm={algorithm}", *ONE_UPDATE)
    [whole] = steps(run("whole", *words))
    memory_ends(number)
    [halved] = steps(run("halved", *words))
    (expected, streams), (found, after) = taken
    assert same_within_rounding(expected, found)
    assert streams.keys() == after.keys() and all(torch.equal(streams[name], after[name]) for name in streams)
    assert halved["gradient/norm"] == pytest.approx(whole["gradient/norm"], rel=1e-4)
    assert halved["loss/policy"] == pytest.approx(whole["loss/policy"], rel=1e-4, abs=1e-7)
    assert halved.get("control/beta", 0.0) == pytest.approx(whole.get("control/beta", 0.0), rel=1e-4)


@pytest.mark.slow
def test_it_is_said_once_and_a_second_time_ends_the_run(run: Runs, memory_ends: RuleOut) -> None:
    memory_ends(2, 5)
    with pytest.raises(UserError, match=r"trainer.microbatch_rows=\d+: the GPU is out of memory also with"):
        run("a", "algorithm=grpo", "trainer.steps=1")
    said = (Path(run.root) / "a" / "run.log").read_text()
    assert said.count("are halved from here on") == 1
    assert "out of memory in update 1 of step 1: micro-batches of 4 responses" in said
    assert "holds a single prompt, the gradient's variance is not read from here on" in said


def test_a_single_response_cannot_be_halved() -> None:
    def failing(halved: bool) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    counters = RunCounters()
    with pytest.raises(UserError, match=r"trainer.microbatch_rows=1: ") as refused:
        MemoryGuard(counters, update=0).run(failing, part=POLICY, rows=1)
    assert "fewer trainer.microbatch_rows" not in str(refused.value)
    assert counters.halved_step == -1


@pytest.fixture
def critics_memory_ends(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Let the critic's gradients of the given numbers run out of memory; the rows of a micro-batch of each."""
    compute = learner.CriticLearner.compute_gradient

    def at(*numbers: int) -> list[int]:
        asked: list[int] = []

        def failing(one: Any, batch: Any, rows: Tensor, microbatch_rows: int) -> float:
            asked.append(microbatch_rows)
            if len(asked) in numbers:
                random.random(), torch.rand(3)
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return compute(one, batch, rows, microbatch_rows)

        monkeypatch.setattr(learner.CriticLearner, "compute_gradient", failing)
        return asked

    return at


@pytest.mark.slow
def test_the_critics_step_is_halved_alone(run: Runs, critics_memory_ends: Callable[..., list[int]]) -> None:
    asked = critics_memory_ends(1)
    folder = run("a", "algorithm=ppo", "trainer.steps=1", "rollout.epochs=1", "rollout.minibatches=2")
    assert asked == [8, 4, 4]
    assert (folder / "run.log").read_text().count("are halved from here on") == 1


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 2])
def test_a_resumed_run_goes_on_halved_with_the_same_bits(
    run: Runs, pulled: Callable[..., None], memory_ends: RuleOut, weights: Checksum, after: int
) -> None:
    words = ("algorithm=tvo", "trainer.steps=3", "rollout.epochs=1", "trainer.checkpoint_every=1")
    memory_ends(1)
    whole = run("whole", *words)
    memory_ends(1)
    pulled("cut", *words, after=after)
    memory_ends()
    assert weights(run("cut", *words), 3) == weights(whole, 3)


@pytest.mark.slow
def test_a_step_that_was_halved_in_its_middle_replays_to_the_bit(run: Runs, memory_ends: RuleOut) -> None:
    words = ("algorithm=tvo", "trainer.steps=2", "rollout.epochs=2", "recorder.steps=[2]", "trainer.variance_parts=2")
    memory_ends(7)  # step 1: 2 parts and 3 whole minibatches; step 2: 2 parts, then its second minibatch
    positions: list[int] = []
    with before_each_update(lambda work: positions.append(work.position)):
        folder = run("a", *words)
    memory_ends()
    assert "in update 1 of step 2" in (folder / "run.log").read_text() and positions == [0, 1, 2, 3] * 2
    record, [replayed] = experiment.replay(folder, 2, [])
    assert replayed.weights_after == record["weights_after"]


def first_minibatch(prompts: int, samples: int, parts: int) -> tuple[Minibatch, Tensor]:
    group = torch.arange(prompts).repeat_interleave(samples)
    cut = cut_into_minibatches(group, epochs=1, count=1, microbatch_rows=0, variance_parts=parts, seed=0, step=0)
    return next(cut), group


@pytest.mark.parametrize(
    ("prompts", "samples", "parts", "sizes", "measured"),
    [
        (8, 2, 2, [4, 4, 4, 4], True),
        (6, 2, 2, [2] * 6, True),  # three prompts a part: two halves would not be of equally many
        (8, 3, 8, [2, 1] * 8, False),  # a prompt a part: only its responses can be parted
        (8, 1, 8, [1] * 8, False),
        (8, 2, 1, [8, 8], False),  # the reading was off and stays off
    ],
)
def test_parts_are_halved_between_prompts_where_they_have_several(
    prompts: int, samples: int, parts: int, sizes: list[int], measured: bool
) -> None:
    minibatch, group = first_minibatch(prompts, samples, parts)
    halved = halve_microbatches(minibatch, group)
    assert [len(part) for part in halved.parts] == sizes and halved.measured is measured
    assert torch.equal(torch.cat(halved.parts), minibatch.rows)
    if samples < len(halved.parts[0]):
        assert all(set(torch.bincount(group[part]).tolist()) <= {0, samples} for part in halved.parts)


def test_the_responses_of_a_parted_prompt_are_parted_again_and_its_variance_is_not_read() -> None:
    group = torch.arange(4).repeat_interleave(8)
    cut = cut_into_minibatches(group, epochs=1, count=1, microbatch_rows=4, variance_parts=4, seed=0, step=0)
    halved = halve_microbatches(next(cut), group)
    assert [len(part) for part in halved.microbatches] == [2] * 16 and not halved.measured
    assert torch.equal(torch.cat(halved.parts), halved.rows)


@pytest.mark.slow
def test_what_was_done_before_the_run_ends_is_saved_and_goes_on_elsewhere(
    run: Runs, memory_ends: RuleOut, weights: Checksum
) -> None:
    words = ("algorithm=tvo", "trainer.steps=2", "rollout.epochs=1", "trainer.variance_parts=2")
    memory_ends(5)  # step 1: 2 parts and a whole minibatch; step 2: its second part
    whole = run("whole", *words)
    memory_ends(5, 6)
    with pytest.raises(UserError, match="also with micro-batches of so many responses"):
        run("cut", *words)
    held = checkpoint_folders.list_checkpoints(whole.parent / "cut" / "checkpoints")
    assert [one.name for one in held] == ["step-000001-update-000"]
    memory_ends()
    assert weights(run("cut", *words), 2) == weights(whole, 2)


@pytest.mark.slow
def test_what_was_done_before_a_critics_part_that_does_not_fit_is_saved_too(
    run: Runs, critics_memory_ends: Callable[..., list[int]], weights: Checksum
) -> None:
    """Its policy's step, which comes with the critic's, was not taken either."""
    words = ("algorithm=ppo", "trainer.steps=2", "rollout.epochs=1", "rollout.minibatches=2")
    critics_memory_ends(4)  # the second update of step 2
    whole = run("whole", *words)
    critics_memory_ends(4, 5)
    with pytest.raises(UserError, match="also with micro-batches of so many responses"):
        run("cut", *words)
    held = checkpoint_folders.list_checkpoints(whole.parent / "cut" / "checkpoints")
    assert [one.name for one in held] == ["step-000001-update-001"]
    critics_memory_ends()
    assert weights(run("cut", *words), 2) == weights(whole, 2)


def test_a_pass_over_sharded_weights_does_not_begin_anew_on_one_rank() -> None:
    def run_out() -> int:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    said = r"^trainer\.microbatch_rows=4: the GPU of a rank is out of memory in a pass.* trainer\.microbatch_rows=2 "
    with pytest.raises(UserError, match=said):
        within_memory_of_all_ranks(Ranks(sharded=True), run_out, 4)
    with pytest.raises(torch.OutOfMemoryError):
        within_memory_of_all_ranks(Ranks(), run_out, 4)


@pytest.mark.parametrize(
    ("rows", "remedy"),
    [
        (16, r"trainer\.microbatch_rows=8 resume\.allow=\[trainer\.microbatch_rows\] goes on from the last"),
        (3, r"trainer\.microbatch_rows=1 "),
        (1, r"Take model\.gradient_checkpointing=true or a smaller rollout\.max_tokens"),
    ],
)
def test_a_pass_over_sharded_weights_says_how_to_go_on(rows: int, remedy: str) -> None:
    """Of a single response nothing smaller can be proposed."""
    with pytest.raises(UserError, match=remedy):
        raise out_of_memory_in_sharded_pass(rows)


def test_memory_that_ends_where_the_other_ranks_do_not_know_of_it_does_not_begin_anew() -> None:
    tries: list[bool] = []

    def run_out(halved: bool) -> int:
        tries.append(halved)
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(torch.OutOfMemoryError):
        MemoryGuard(RunCounters(), 0, Ranks(0, 2)).run(run_out, part=POLICY, rows=4)
    assert tries == [False]
