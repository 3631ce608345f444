"""kill -9 at random moments, saving included: the same command goes on and ends in the same bits."""

from __future__ import annotations

import random
from functools import partial

import pytest

from tests.training.conftest import Checksum, MetricRows, Runs
from tvo_cli.checkpoint import checkpoint_damage, checkpoint_folders

from . import faults

RUN = (
    "trainer.steps=3",
    "trainer.checkpoint_every=1",
    "rollout.minibatches=1",
    "rollout.epochs=1",
    "algorithm=tvo",
    "recorder.steps=[2]",
)


def moments(kinds: list[str], count: int, seed: int) -> list[tuple[int, bool]]:
    """Half of them inside saving, half anywhere; before or after the event."""
    draw = random.Random(seed)
    saving = [i for i, kind in enumerate(kinds) if kind in faults.SAVING]
    chosen = draw.sample(saving, count // 2) + draw.sample(range(len(kinds)), count - count // 2)
    return [(at, draw.random() < 0.5) for at in chosen]


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments_it_ends_in_the_same_bits(
    run: Runs, weights: Checksum, steps: MetricRows, count: int
) -> None:
    whole = run("whole", *RUN)
    kinds = faults.events(lambda: run("counted", *RUN))
    assert set(kinds) >= faults.SAVING
    survived = 0
    for number, (at, after) in enumerate(moments(kinds, count, seed=count)):
        name = f"cut-{number}"
        assert faults.killed(partial(run, name, *RUN), at, after=after), (at, kinds[at])
        folder = run(name, *RUN)
        assert steps(folder) == steps(whole), (at, kinds[at])
        assert weights(folder, 3) == weights(whole, 3), (at, kinds[at])
        assert not checkpoint_damage.find_damage(folder / "checkpoints" / "step-000003")
        assert not list((folder / "checkpoints").glob(".*")), "a half-written folder was left"
        survived += 1
    assert survived == count


@pytest.mark.slow
def test_no_half_written_folder_is_ever_the_newest(run: Runs) -> None:
    """Killed at each event of the second save in turn, what is there is whole, and is the first or the second."""
    kinds = faults.events(lambda: run("counted", *RUN))
    rows = [i for i, kind in enumerate(kinds) if kind == "append"]
    for number, at in enumerate(range(rows[1] + 1, rows[1] + 1 + 60, 12)):
        name = f"cut-{number}"
        faults.killed(partial(run, name, *RUN), at, after=False)
        root = (run.root / name) / "checkpoints"
        assert [checkpoint_damage.find_damage(folder) for folder in checkpoint_folders.list_checkpoints(root)].count(
            ""
        ) >= 1
        said: list[str] = []
        found = checkpoint_damage.newest_whole_checkpoint(root, said.append)
        assert found is not None and checkpoint_folders.checkpoint_position(found)[0] in (1, 2)
        assert said == []
