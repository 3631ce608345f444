"""Whole runs on the tiny model: determinism, resume, faults, rollback, and that it learns."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.conftest import Checksum, MetricRows, Runs, Whole
from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.training.rollout_collection import collect_rollouts
from tvo_cli.training.session import Session
from tvo_cli.training.update import minibatch_forward, minibatch_gradient
from tvo_cli.training.update.backward import forces_by_backward
from tvo_cli.types import Loss, Problem, Rollout, Tokens

from .conftest import largest_difference, trained_policy

ONE_UPDATE = ("algorithm=grpo", "rollout.epochs=1", "rollout.minibatches=1")
FAST = ("ppo",)  # a critic; tests/training/test_every_update.py has tvo
CASES = [
    *((name, 2, 1) for name in FAST),
    *(
        pytest.param(name, 4, stop, marks=pytest.mark.slow)
        for name in ("tvo", "grpo", "ppo", "reinforce", "dapo", "clip_cov")
        for stop in (1, 3)
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["tvo", *(pytest.param(n, marks=pytest.mark.slow) for n in ("ppo", "grpo"))])
def test_one_seed_gives_one_result_and_another_seed_another(
    run: Runs, whole: Whole, weights: Checksum, steps: MetricRows, algorithm: str
) -> None:
    words = f"algorithm={algorithm}", "trainer.steps=2"
    first, again, other = whole(*words), run("again", *words), run("other", *words, "seed=1")
    assert steps(first) == steps(again)
    assert weights(first, 2) == weights(again, 2) != weights(other, 2)


def test_responses_of_the_first_and_the_last_step_are_kept(whole: Whole) -> None:
    responses = whole("algorithm=tvo", "trainer.steps=2") / "responses"
    assert {path.name for path in responses.glob("step-*")} == {"step-000001.jsonl", "step-000002.jsonl"}
    assert "cannot fire" not in (responses.parent / "run.log").read_text()


def test_what_cannot_fire_is_said_once_at_the_start(whole: Whole) -> None:
    log = (whole("algorithm=grpo", "trainer.steps=2", *ONE_UPDATE[1:]) / "run.log").read_text()
    assert log.count("tv_ceiling (policy/tv) cannot fire") == 1


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "length", "stop"), CASES)
def test_a_stopped_run_goes_on_bit_for_bit(
    whole: Whole,
    resumed: Callable[..., Path],
    weights: Checksum,
    steps: MetricRows,
    algorithm: str,
    length: int,
    stop: int,
) -> None:
    words = f"algorithm={algorithm}", "trainer.checkpoint_every=1", f"trainer.steps={length}"
    undisturbed, cut = whole(*words), resumed("cut", *words, after=stop)
    assert weights(cut, length) == weights(undisturbed, length)
    assert steps(cut) == steps(undisturbed)


@pytest.mark.slow
def test_a_rate_that_rises_goes_on_rising_after_a_stop(
    whole: Whole, resumed: Callable[..., Path], weights: Checksum, steps: MetricRows
) -> None:
    words = (*ONE_UPDATE, "optimizer.warm_up=3", "trainer.steps=4", "trainer.checkpoint_every=1")
    undisturbed, cut = whole(*words), resumed("cut", *words, after=1)
    rates = [row["optimizer/lr"] for row in steps(undisturbed)]
    assert [rate / rates[-1] for rate in rates] == pytest.approx([1 / 3, 2 / 3, 1, 1])
    assert steps(cut) == steps(undisturbed) and weights(cut) == weights(undisturbed)


@pytest.mark.slow
def test_the_step_rule_is_part_of_a_checkpoint(whole: Whole) -> None:
    """That it is taken up again, tests/training/test_every_update.py shows: `lost_viscosity`."""
    state = whole("algorithm=tvo", "trainer.steps=2") / "checkpoints" / "step-000002" / "state.json"
    assert json.loads(state.read_text())["algorithm"]["step_rule"]["base"] != 10.0


def test_a_finished_run_is_extended_and_a_different_one_refused(run: Runs, steps: MetricRows) -> None:
    folder = run("a", *ONE_UPDATE, "trainer.steps=2")
    with pytest.raises(UserError, match=r"holds a run with other settings: .*optimizer\.lr=0\.5 \(recorded: 5e-05\)"):
        run("a", *ONE_UPDATE, "trainer.steps=2", "optimizer.lr=0.5")
    run("a", *ONE_UPDATE, "trainer.steps=3")
    assert [row["step"] for row in steps(folder)] == [1, 2, 3]
    (folder / "responses" / "evaluation-step-000003.jsonl").write_text("{}\n")
    metrics = (folder / "metrics.jsonl").read_text()
    run("a", *ONE_UPDATE, "optimizer.lr=1e-3", "resume=never", "trainer.steps=1")
    for name in ("checkpoints", "responses", "metrics", "summary", "collapse"):
        assert len(list(folder.glob(f"{name}-before-*"))) == 1, name
    assert next(folder.glob("metrics-before-*.jsonl")).read_text() == metrics
    assert [row["step"] for row in steps(folder)] == [1]
    assert not list((folder / "responses").glob("evaluation*")), "it would be taken for the new run's"


@pytest.mark.slow
def test_the_seconds_of_a_summary_are_those_of_all_its_processes(run: Runs, resumed: Callable[..., Path]) -> None:
    words = (*ONE_UPDATE, "trainer.checkpoint_every=1")
    folder = resumed("a", *words, after=3)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    spent = [row["time/step"] for row in rows]
    assert len(spent) == 4

    def told() -> float:
        return float(json.loads((folder / "summary.json").read_text())["seconds"])

    assert told() == pytest.approx(sum(spent), abs=1e-3) and told() > max(spent)
    run("a", *words)
    assert told() == pytest.approx(sum(spent), abs=1e-3), "typed again: nothing was done, and nothing is forgotten"


def test_must_resume_says_what_is_missing(run: Runs) -> None:
    with pytest.raises(UserError, match=r"resume=must"):
        run("a", "resume=must")


@pytest.mark.slow
def poison_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    def poisoned(loss: Loss, tokens: Tokens) -> tuple[Tensor, ...]:
        return tuple(torch.full_like(x, math.nan) for x in forces_by_backward(loss, tokens))

    monkeypatch.setattr(minibatch_gradient, "forces_by_backward", poisoned)


def poison_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    def poisoned_gain(ratio: Tensor, advantage: Tensor, cap: float) -> Tensor:
        return ratio * math.nan

    poisoned_gain.__module__ = "tvo_cli.maths.surrogates"  # else a config refuses to build it
    monkeypatch.setattr("tvo_cli.maths.surrogates.capped_surrogate", poisoned_gain)


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_what_is_not_finite_never_reaches_the_weights(run: Runs, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Every update of one run is poisoned: its weights stay those of the start, and it stops with its verdict."""
    poison_loss(monkeypatch) if where == "loss" else poison_gradient(monkeypatch)
    before: dict[str, Any] = {}
    take = collect_rollouts.sample_responses

    def remember(session: Session, problems: Sequence[Problem], number: int) -> Rollout:
        named = session.learner.policy.network.state_dict()
        before.setdefault("weights", {name: value.clone() for name, value in named.items()})
        before["session"] = session
        return take(session, problems, number)

    monkeypatch.setattr(collect_rollouts, "sample_responses", remember)
    folder = run("a", "trainer.nonfinite_limit=8", "trainer.steps=9")
    after = before["session"].learner.policy.network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before["weights"].items())
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["skipped_updates"], summary["steps"]) == (8, 2)


def test_a_collapse_rolls_back_to_the_last_healthy_policy_and_thickens(run: Runs) -> None:
    folder = run(
        "a",
        *("algorithm=grpo", "optimizer.lr=2e-2", "stability=act", "trainer.steps=3", "stability.snapshot_every=1"),
        *("stability.rules.kl_ceiling.severity=collapse", "stability.rules.kl_ceiling.limit=1e-4"),
        "stability.rules.kl_ceiling.patience=1",
    )
    verdict = json.loads((folder / "collapse.json").read_text())
    assert verdict["firings"]
    assert verdict["rolled_back_at"]
    assert "restored the policy of step" in (folder / "run.log").read_text()


@pytest.mark.slow
def test_the_variance_reading_does_not_change_the_update(run: Runs, weights: Checksum) -> None:
    parts = [run(name, "trainer.steps=1", f"trainer.variance_parts={n}") for name, n in (("one", 1), ("four", 4))]
    one, four = map(trained_policy, parts)
    assert largest_difference(one, four) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("rows", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (4, 8))])
def test_micro_batches_give_the_same_update(run: Runs, whole: Whole, rows: int) -> None:
    folders = whole("trainer.steps=1"), run("cut", "trainer.steps=1", f"trainer.microbatch_rows={rows}")
    one, cut = map(trained_policy, folders)
    assert largest_difference(one, cut) < 1e-6


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("siren", "ppo")]
PARTED = ("rollout.samples=4", "rollout.prompts=4", "rollout.minibatches=1", "trainer.steps=1")


@pytest.mark.parametrize("algorithm", ["tvo_2025", *SLOW])
def test_micro_batches_below_a_prompts_responses_give_the_same_update_and_readings(
    run: Runs, steps: MetricRows, monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    """Two epochs: the first has its variance read of parts that are forwarded in two passes each."""
    sizes, forward = list[int](), minibatch_forward.forward_rows

    def noted(*given: Any) -> Any:
        sizes.append(len(given[2]))
        return forward(*given)

    words = (f"algorithm={algorithm}", *PARTED, "trainer.variance_parts=4")
    whole = run("whole", *words)
    monkeypatch.setattr(minibatch_forward, "forward_rows", noted)
    cut = run("cut", *words, "trainer.microbatch_rows=2")
    assert max(sizes) == 2
    assert largest_difference(trained_policy(whole), trained_policy(cut)) < 1e-6
    [expected], [found] = steps(whole), steps(cut)
    assert found["gradient/variance"] == pytest.approx(expected["gradient/variance"], rel=1e-3) != 0.0
    assert found["gradient/noise_scale"] == pytest.approx(expected["gradient/noise_scale"], rel=1e-3)


@pytest.mark.slow
def test_tvo_learns_the_embedded_task(run: Runs, steps: MetricRows) -> None:
    """3,840 rollouts from an accuracy near 0.45: far above anything that noise could give."""
    sizes = ("rollout.prompts=64", "rollout.samples=2", "rollout.epochs=4", "rollout.minibatches=4")
    rows = steps(run("a", *sizes, "trainer.steps=30"))
    late = [row["accuracy/fresh"] for row in rows[-5:]]
    assert sum(late) / 5 > 0.8


FEW = ("ppo", "siren")  # each needs something else of the loop


@pytest.mark.parametrize(
    "name", [n if n in FEW else pytest.param(n, marks=pytest.mark.slow) for n in config.choices_of_group("algorithm")]
)
def test_every_algorithm_runs(run: Runs, steps: MetricRows, name: str) -> None:
    """Two updates: the second is off-policy."""
    rows = steps(run("a", f"algorithm={name}", "trainer.steps=1", "rollout.epochs=1", "recorder=off"))
    assert all(isinstance(value, float | int) and math.isfinite(value) for value in rows[0].values())
