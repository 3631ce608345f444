"""The law R = −a·e^H + b while a run goes on: its constants, its guard, and that a resumed run reads the same."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.training.conftest import MetricRows, Runs
from tvo_cli.tracking.metric_names import is_known_metric
from tvo_cli.training.running_entropy_law import LEAST_PAIRS, RunningEntropyLaw

A, B = 0.05, 0.6
ENTROPIES = [2.0, 1.7, 1.4, 1.1, 0.9, 0.7, 0.5, 0.4, 0.3, 0.2]


def law_of(pairs: Iterable[tuple[float, float]]) -> tuple[RunningEntropyLaw, list[dict[str, float]]]:
    law = RunningEntropyLaw()
    return law, [law.read(h, r) for h, r in pairs]


def test_it_finds_the_law_and_predicts_its_ceiling() -> None:
    """a = .05, b = .6: ceiling .55; R = .230547 at H = 2 and .53893 at .2, from the specification."""
    pairs = [(h, B - A * math.exp(h)) for h in ENTROPIES]
    assert pairs[0][1] == pytest.approx(0.230547, abs=1e-6) and pairs[-1][1] == pytest.approx(0.53893, abs=1e-6)
    _, found = law_of(pairs)
    assert all(reading == {} for reading in found[: LEAST_PAIRS - 1])
    last = found[-1]
    assert (last["law/a"], last["law/b"], last["law/ceiling"]) == pytest.approx((0.05, 0.6, 0.55))
    assert last["law/rmse"] == pytest.approx(0, abs=1e-9) and last["law/r2"] == pytest.approx(1.0)
    assert last["law/error"] == pytest.approx(0, abs=1e-9)


def test_the_error_is_of_a_step_that_the_law_has_not_seen() -> None:
    pairs = [(h, B - A * math.exp(h)) for h in ENTROPIES]
    law, _ = law_of(pairs)
    assert law.read(1.0, 0.9)["law/error"] == pytest.approx(0.9 - (0.6 - 0.05 * math.e))


def test_without_spread_there_is_no_law() -> None:
    _, found = law_of([(0.7, 0.1 * k) for k in range(10)])
    assert found[-1] == {}
    _, found = law_of([(0.1 * k, 0.5) for k in range(10)])
    assert found[-1]["law/ceiling"] == pytest.approx(0.5) and "law/r2" not in found[-1]


@pytest.mark.slow
def test_a_resumed_run_reads_the_same(run: Runs, resumed: Callable[..., Path], steps: MetricRows) -> None:
    sizes = (
        *("algorithm=grpo", f"trainer.steps={LEAST_PAIRS + 2}", "trainer.checkpoint_every=1"),
        *("rollout.epochs=1", "rollout.minibatches=1", "rollout.prompts=4", "recorder=off"),
    )
    whole = steps(run("whole", *sizes))
    assert {"law/a", "law/b", "law/ceiling", "law/rmse"} <= set(whole[-1]) and "law/a" not in whole[0]
    assert all(is_known_metric(name) for name in whole[-1] if "/" in name)
    cut = resumed("cut", *sizes, after=LEAST_PAIRS)
    assert steps(cut) == whole
    state = json.loads((cut / "checkpoints" / f"step-{LEAST_PAIRS + 2:06d}" / "state.json").read_text())
    assert len(state["law"]["entropy"]) == LEAST_PAIRS + 2
