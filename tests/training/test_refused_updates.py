"""An update after which F rises beyond noise is taken back, whatever the algorithm; stopped anywhere, the same bits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch

from tests.training.conftest import Checksum, MetricRows, Runs, largest_difference, trained_policy
from tvo_cli import config, experiment
from tvo_cli.stability.collapse_watch import CollapseAction, CollapseWatch
from tvo_cli.training import refused_updates, training_loop
from tvo_cli.training.counters import RunCounters
from tvo_cli.training.refusal_state import Refusal, RefusalState
from tvo_cli.training.step_state import StateSnapshot
from tvo_cli.training.update import policy_update
from tvo_cli.training.update.learner import Learner

REFUSING = ("stability.refuse=2.5", "rollout.prompts=16", "rollout.epochs=1", "trainer.steps=4")
ALGORITHMS = [
    name if name == "ppo" else pytest.param(name, marks=pytest.mark.slow)
    for name in config.choices_of_group("algorithm")
]


@pytest.fixture
def ruin(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Have the updates of a step throw the policy away; returns the list of the steps whose updates are taken."""
    take, begin = policy_update._optimizer_step, policy_update.remaining_minibatches_of_update

    def arrange(ruined: int) -> list[int]:
        taken = list[int]()

        def beginning(*args: Any, step: int, **rest: Any) -> Any:
            taken.append(step + 1)
            return begin(*args, step=step, **rest)

        def stepping(learner: Learner, *args: Any) -> None:
            take(learner, *args)
            if taken[-1] == ruined:
                with torch.no_grad():
                    [parameter.zero_() for parameter in learner.parameters]

        monkeypatch.setattr(policy_update, "_optimizer_step", stepping)
        monkeypatch.setattr(training_loop, "remaining_minibatches_of_update", beginning)
        return taken

    return arrange


def collapse(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "collapse.json").read_text())
    return found


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_ruinous_update_is_taken_back_and_its_batch_not_learnt_from(
    run: Runs, steps: MetricRows, ruin: Callable[[int], list[int]], algorithm: str
) -> None:
    taken = ruin(2)
    folder = run("run", *REFUSING, f"algorithm={algorithm}")
    rows = steps(folder)
    assert taken == [1, 2, 4]
    assert [row["stability/refused"] for row in rows] == [0.0, 0.0, 1.0, 1.0]
    assert rows[2]["stability/free_energy_z"] >= 2.5 and rows[2]["optimizer/steps"] == 0.0
    assert rows[3]["accuracy/fresh"] > 0.2 > rows[2]["accuracy/fresh"]
    (refusal,) = collapse(folder)["refusals"]
    assert (refusal["step"], refusal["test"], refusal["updates"]) == (2, "batch", 1)
    assert collapse(folder)["batches_lost"] == 2
    assert all(bool(tensor.any()) for tensor in trained_policy(folder, 4).values())


@pytest.mark.slow
@pytest.mark.parametrize(
    "algorithm",
    [
        *("tvo", "ppo", "grpo_kl_adaptive", "grpo_early_stop"),
        *("scope", "epo", "avspo", "llds", "hapo", "ares", "grpo_target_entropy", "siren", "tvo_overdamped"),
        "tvo_fluctuation",
    ],
)
def test_stopped_before_each_update_of_a_run_with_a_refusal_it_ends_in_the_same_bits(
    run: Runs,
    in_pieces: Callable[..., tuple[Path, int]],
    ruin: Callable[[int], list[int]],
    weights: Checksum,
    steps: MetricRows,
    algorithm: str,
) -> None:
    ruin(2)
    whole = run("whole", *REFUSING, f"algorithm={algorithm}")
    cut, stops = in_pieces("cut", *REFUSING, f"algorithm={algorithm}", most=8)
    assert stops >= 5 and len(collapse(whole)["refusals"]) == 1
    assert steps(cut) == steps(whole)
    assert weights(cut) == weights(whole)
    assert collapse(cut) == collapse(whole)


@pytest.mark.slow
def test_the_last_update_of_a_run_is_judged_too_and_a_longer_run_goes_on(
    run: Runs, steps: MetricRows, ruin: Callable[[int], list[int]], weights: Checksum
) -> None:
    ruin(4)
    folder = run("run", *REFUSING)
    assert [one["step"] for one in collapse(folder)["refusals"]] == [4]
    assert [row["stability/refused"] for row in steps(folder)] == [0.0] * 4
    assert all(bool(tensor.any()) for tensor in trained_policy(folder, 4).values())
    assert steps(run("run", *REFUSING, "trainer.steps=5"))[4]["accuracy/fresh"] > 0.2


@pytest.mark.slow
def test_a_run_that_is_extended_is_the_run_that_was_planned_longer(run: Runs, steps: MetricRows) -> None:
    words = (*REFUSING, "algorithm=grpo")
    run("extended", *words, "trainer.steps=2")
    extended, planned = run("extended", *words), run("planned", *words)
    assert steps(extended) == steps(planned)
    assert largest_difference(trained_policy(extended, 4), trained_policy(planned, 4)) == 0.0


@pytest.mark.slow
def test_a_slow_decline_returns_to_where_it_began_with_a_higher_viscosity(
    run: Runs, steps: MetricRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy loses a little in every step from the third on, and no single batch shows it."""
    take, at = policy_update._optimizer_step, {"step": 0}
    begin = policy_update.remaining_minibatches_of_update

    def beginning(*args: Any, step: int, **rest: Any) -> Any:
        at["step"] = step + 1
        return begin(*args, step=step, **rest)

    def stepping(learner: Learner, *args: Any) -> None:
        take(learner, *args)
        if at["step"] >= 3:
            with torch.no_grad():
                [parameter.mul_(0.97) for parameter in learner.parameters]

    monkeypatch.setattr(policy_update, "_optimizer_step", stepping)
    monkeypatch.setattr(training_loop, "remaining_minibatches_of_update", beginning)
    words = ("stability.refuse=8", "stability.refuse_drift=3", "rollout.prompts=32", "trainer.steps=12")
    folder = run("run", *words, "algorithm=grpo", "rollout.epochs=1")
    first = collapse(folder)["refusals"][0]
    row = steps(folder)[first["step"]]
    assert first["test"] == "drift" and first["updates"] > 1 and first["value"] >= 3.0
    assert row["stability/free_energy_drift"] == first["value"] and row["optimizer/steps"] == 0.0
    assert row["thermo/viscosity"] == 2.0


@pytest.mark.slow
def test_a_rollback_beside_it_forgets_what_it_compared_with(
    run: Runs, in_pieces: Callable[..., tuple[Path, int]], weights: Checksum, steps: MetricRows
) -> None:
    words = (
        *(*REFUSING, "algorithm=grpo", "stability=act", "stability.snapshot_every=1"),
        *("stability.rules.kl_ceiling.severity=collapse", "stability.rules.kl_ceiling.limit=1e-4"),
        *("stability.rules.kl_ceiling.patience=1", "optimizer.lr=1e-3", "stability.refuse=5"),
    )
    whole, (cut, _) = run("whole", *words), in_pieces("cut", *words, most=8)
    assert collapse(whole)["rolled_back_at"]
    after = collapse(whole)["rolled_back_at"][0]
    assert "stability/free_energy_z" not in steps(whole)[after]
    assert steps(cut) == steps(whole) and weights(cut) == weights(whole)


@pytest.mark.slow
def test_a_recorded_step_of_such_a_run_is_replayed_to_the_bit_and_a_refused_one_is_none(
    run: Runs, ruin: Callable[[int], list[int]]
) -> None:
    ruin(2)
    folder = run("run", *REFUSING, "recorder.steps=[3,4]")
    assert "step 3 is not recorded: its batch was refused" in (folder / "run.log").read_text()
    record, [replayed] = experiment.replay(folder, 4, [])
    assert replayed.weights_after == record["weights_after"] != record["weights_before"]


@pytest.mark.slow
def test_a_rollback_cannot_bring_back_what_a_slow_decline_has_taken_back() -> None:
    """The last state that a rule confirmed is of step 5, and the updates since step 3 are taken back."""
    before, confirmed = (StateSnapshot({"policy": {}}, {"counters": {"step": step}}) for step in (3, 5))
    session = MagicMock(
        snapshot=confirmed, refusal=RefusalState(anchor=before, updated=4), counters=RunCounters(step=7)
    )
    session.limits.viscosity_factor = 2.0
    refused_updates.take_updates_back(session, Refusal(7, "drift", 6.5, 6.0, -0.5, -0.2, updates=4))
    assert session.snapshot is before
    session.refusal.anchor = confirmed
    refused_updates.take_updates_back(session, Refusal(9, "drift", 6.5, 6.0, -0.5, -0.2, updates=4))
    assert session.snapshot is before, "an earlier state stays the one to return to"


@pytest.mark.slow
def test_a_rollback_keeps_what_refusals_have_raised_since_its_state(
    run: Runs, steps: MetricRows, ruin: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state of before step 1 comes back after step 4: ν knows neither the refusal at step 3 nor the rollback."""
    ruin(2)
    decide = CollapseWatch.decide
    at = {"step": 0}

    def observing(watch: CollapseWatch, step: int, metrics: dict[str, float]) -> Any:
        at["step"] = step
        return observe(watch, step, metrics)

    def deciding(watch: CollapseWatch) -> CollapseAction:
        return CollapseAction.ROLLBACK if at["step"] == 4 else decide(watch)

    observe = CollapseWatch.observe
    monkeypatch.setattr(CollapseWatch, "observe", observing)
    monkeypatch.setattr(CollapseWatch, "decide", deciding)
    folder = run("run", *REFUSING, "algorithm=grpo", "stability=act", "stability.snapshot_every=100", "trainer.steps=5")
    rows = steps(folder)
    assert rows[3]["stability/rollbacks"] == 1.0 and rows[3]["thermo/viscosity"] == 2.0
    assert rows[4]["thermo/viscosity"] == 4.0


@pytest.mark.slow
def test_the_reward_weights_come_back_too_as_they_were_before_the_refused_batch(
    run: Runs, steps: MetricRows, ruin: Callable[[int], list[int]]
) -> None:
    ruin(2)
    folder = run("run", *REFUSING, "algorithm=grpo", "reward=shaped", "reward.weighting=gradient")
    names = [name for name in steps(folder)[0] if name.startswith("reward/") and name.endswith("/weight")]
    first, second, third, _ = [[row[name] for name in names] for row in steps(folder)]
    assert len(names) > 1 and first != second
    assert third == first


@pytest.mark.slow
@pytest.mark.parametrize("weighting", ["fixed", "gradient"])
def test_a_branch_sampled_at_another_temperature_has_no_say_in_the_free_energy(
    run: Runs, steps: MetricRows, weighting: str
) -> None:
    words = ("algorithm=scope", "reward=shaped", f"reward.weighting={weighting}", "trainer.steps=2")
    for row in steps(run("run", *words)):
        assert row["thermo/temperature"] == 0.0
        assert row["thermo/free_energy"] == pytest.approx(-row["reward/mean"], abs=1e-6)
