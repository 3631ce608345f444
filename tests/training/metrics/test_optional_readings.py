"""Optional readings of a run: they change nothing of it, are in its rows, and a resumed run reads the same."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.training.conftest import MetricRows, Runs, trained_policy
from tvo_cli import config
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.config.fingerprints import config_fingerprint
from tvo_cli.errors import UserError
from tvo_cli.model import layer_readings, load_policy
from tvo_cli.tracking.metric_names import is_known_metric
from tvo_cli.training.metrics import optional_readings
from tvo_cli.training.metrics.valley_readings import follow_weights, keep_heat
from tvo_cli.training.readings_state import ReadingsSettings, ReadingsState
from tvo_cli.types import Rollout

ALL = tuple(
    f"stability.readings.{name}=true" for name in ("policy_cliff", "layer_entropy", "spectral_entropy", "valley")
)
READ = ("stability.readings.every=2", "stability.readings.rows=4", "stability.readings.window=2")


def test_the_running_means_of_the_weights_by_hand() -> None:
    """w = 2: half of the way each batch, the slow one an eighth; both begin at the first weights."""
    state = ReadingsState()
    for value in (0.0, 1.0, 1.0):
        follow_weights(state, [torch.full((2,), value)], window=2)
    assert state.fast[0].tolist() == [0.75, 0.75] and state.slow[0].tolist() == [0.234375, 0.234375]


def test_heats_are_kept_with_their_rates_and_those_of_an_older_checkpoint_are_left_out() -> None:
    state = ReadingsState(heats=[9.0, 9.0])
    for number in range(17):
        keep_heat(state, float(number), 0.1 * number)
    assert state.heats == [float(number) for number in range(1, 17)]
    assert state.rates[0] == 0.1 and len(state.rates) == 16


def test_means_for_one_of_which_there_is_no_memory_begin_with_a_later_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    state, left = ReadingsState(), [1]
    clone = torch.Tensor.clone

    def cloning(one: torch.Tensor) -> torch.Tensor:
        left[0] -= 1
        if left[0] == -1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return clone(one)

    monkeypatch.setattr(torch.Tensor, "clone", cloning)
    with pytest.raises(torch.OutOfMemoryError):
        follow_weights(state, [torch.zeros(2)], window=2)
    follow_weights(state, [torch.ones(2)], window=2)
    assert state.fast[0].tolist() == state.slow[0].tolist() == [1.0, 1.0]


def test_readings_for_which_there_is_no_memory_are_left_out_and_the_run_goes_on(
    run: Runs, steps: MetricRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (
        *("algorithm=grpo", "rollout.epochs=1", "trainer.steps=2", *READ[1:], "stability.readings.every=1"),
        *("stability.readings.layer_entropy=true", "stability.readings.policy_cliff=true"),
    )
    entropies, left = layer_readings.layer_entropies, [1]

    def once(*given: Any) -> list[float]:
        left[0] -= 1
        if left[0] < 0:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return entropies(*given)

    monkeypatch.setattr(optional_readings, "layer_entropies", once)
    folder = run("a", *words)
    first, second = steps(folder)
    assert {name.partition("/")[0] for name in first.keys() - second.keys()} == {"layer"}
    said = (folder / "run.log").read_text()
    assert "stability.readings.layer_entropy=true: out of memory, not read in step 2" in said
    assert trained_policy(folder, 2).keys()


@pytest.mark.slow
def test_rows_are_read_a_micro_batch_at_a_time_with_the_readings_of_all_at_once() -> None:
    """A response of two tokens and one of four: the mean is over tokens, not over parts."""
    policy = load_policy(config.compose(["output_dir=x"]).model, device="cpu")
    ids, seen = policy.encode(["1 + 2 =", "3 * 4 + 5 ="])
    responses, mask = torch.tensor([[5, 6, 0, 0], [7, 8, 9, 5]]), torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]]).bool()
    group = torch.arange(2)
    rollout = Rollout(ids, seen, responses, mask, mask.float(), group.bool(), group, ("", ""))
    work: Any = SimpleNamespace(batch=SimpleNamespace(drawn=SimpleNamespace(chosen=SimpleNamespace(rollout=rollout))))
    limits = SimpleNamespace(readings=ReadingsSettings(layer_entropy=True, spectral_entropy=True))

    def read(rows: int) -> dict[str, float]:
        passes = SimpleNamespace(microbatch_rows=rows, temperature=1.0)
        learner = SimpleNamespace(policy=policy, autocast=nullcontext)
        counters, readings = SimpleNamespace(step=0), ReadingsState()
        session: Any = SimpleNamespace(
            limits=limits, passes=passes, learner=learner, counters=counters, readings=readings
        )
        return optional_readings.optional_readings(session, work)

    whole = read(0)
    assert len(whole) == 3 and read(1) == pytest.approx(whole, rel=1e-5)


@pytest.mark.slow
def test_support_needs_an_evaluation_of_the_start() -> None:
    asked = ("stability.readings.support=true", "output_dir=x")
    check_across_keys(config.compose([*asked]))
    with pytest.raises(UserError, match=r"stability\.readings\.support=True.* evaluation\.at_start=true"):
        check_across_keys(config.compose([*asked, "evaluation=off"]))


def test_sharded_weights_cannot_be_read_whole() -> None:
    with pytest.raises(UserError, match=r"stability\.readings\.valley=True.* parallel=replicate"):
        check_across_keys(config.compose([*ALL[-1:], "parallel=shard", "output_dir=x"]))


@pytest.mark.slow
def test_readings_are_no_part_of_the_fingerprint() -> None:
    assert config_fingerprint(config.compose(["output_dir=x", *ALL])) == config_fingerprint(
        config.compose(["output_dir=x"])
    )


@pytest.mark.slow
def test_they_change_nothing_and_a_resumed_run_reads_the_same(
    run: Runs, resumed: Callable[..., Path], steps: MetricRows
) -> None:
    kept = ("trainer.checkpoint_every=1", "trainer.keep=9", "recorder=off")
    plain, read = run("plain", *kept), run("read", *kept, *ALL, *READ)
    one, other = trained_policy(plain, 4), trained_policy(read, 4)
    assert all(bool((one[name] == other[name]).all()) for name in one)
    rows = steps(read)
    found = {
        name for row in rows for name in row if name.split("/")[0] in ("cliff", "layer", "representation", "valley")
    }
    assert len(found) == 5 + 2 + 1 + 5 and all(map(is_known_metric, found))
    assert rows[2]["valley/heat"] != 0 and rows[2]["valley/entropic_force"] != 0
    assert "valley/heat" in rows[2] and "valley/heat" not in rows[1] and "cliff/tied" in rows[1]
    assert steps(resumed("cut", *kept, *ALL, *READ, after=2)) == rows


def test_the_eighth_heat_brings_the_temperature_and_the_directions(run: Runs, steps: MetricRows) -> None:
    """T = Var(h)/⟨h⟩ and N = 2⟨h⟩²/Var(h) of the heats so far, so that N·T/2 is their mean."""
    often = ("stability.readings.every=1", *READ[1:], "algorithm=grpo", "rollout.epochs=1", "recorder=off")
    rows = steps(run("long", *often, ALL[-1], "optimizer.lr=3e-3", "trainer.steps=10"))
    heats = [row["valley/heat"] for row in rows if "valley/heat" in row]
    told = [row for row in rows if "valley/temperature" in row]
    assert len(heats) - len(told) == 7 and len(told) >= 2
    for row, count in zip(told, range(8, 11)):
        mean, variance = statistics.fmean(heats[:count]), statistics.variance(heats[:count])
        assert row["valley/temperature"] == pytest.approx(variance / mean)
        assert row["valley/directions"] == pytest.approx(2 * mean**2 / variance)
        assert 0 < row["valley/temperature"] < 1 and 0 < row["valley/directions"] < 1000


@pytest.mark.slow
def test_the_heat_capacity_is_over_the_rate_that_lion_stepped_at(run: Runs, steps: MetricRows) -> None:
    row = steps(run("lion", "optimizer=lion", "optimizer.lr=1e-3", "algorithm=grpo", ALL[-1], *READ))[2]
    assert row["optimizer/lr"] == pytest.approx(0.2e-3) and row["valley/heat"] != 0
    assert row["valley/heat_capacity"] == pytest.approx(row["valley/heat"] / 0.2e-3)


@pytest.mark.slow
def test_lions_readings_change_nothing_and_a_resumed_run_reads_the_same(
    run: Runs, resumed: Callable[..., Path], steps: MetricRows
) -> None:
    kept = ("optimizer=lion", "algorithm=grpo", "trainer.checkpoint_every=1", "trainer.keep=9", "recorder=off")
    read = ("stability.readings.lion=true", "rollout.minibatches=2")
    plain, watched = run("plain", *kept, read[1]), run("read", *kept, *read)
    one, other = trained_policy(plain, 4), trained_policy(watched, 4)
    assert all(bool((one[name] == other[name]).all()) for name in one)
    rows = steps(watched)
    assert all(0 < row["optimizer/flips"] < 1 and row["optimizer/lyapunov"] > 0 for row in rows)
    assert all(map(is_known_metric, ("optimizer/flips", "optimizer/lyapunov")))
    assert steps(resumed("cut", *kept, *read, after=2)) == rows
