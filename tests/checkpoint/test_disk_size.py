"""The disk that a run takes: by hand, and against what runs leave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import train_in
from tvo_cli import config
from tvo_cli.checkpoint.disk_size import HeldCheckpoints, checkpoints_kept, disk_size
from tvo_cli.cli.derived_sizes import derived_sizes

TRAINER = {"steps": 60, "checkpoint_every": 10, "keep": 2, "keep_every": 0, "keep_best": False}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, 2),
        ({"checkpoint_every": 0}, 1),
        ({"keep": 0}, 1),
        ({"keep": 9}, 6),
        ({"keep_every": 20}, 5),
        ({"keep_best": True}, 3),
        ({"steps": 5}, 1),
    ],
)
def test_how_many_checkpoints_a_run_keeps(changed: dict[str, Any], expected: int) -> None:
    assert checkpoints_kept(TRAINER | changed) == expected


def test_the_disk_of_a_run_by_hand() -> None:
    sizes: dict[str, Any] = {"policy_bytes": 4, "resume_bytes": 8, "recordings": 1}
    assert disk_size(TRAINER, **sizes) == (2 * 12 + 12, 12 + 3 * 12 + 12, 3 * 12)
    alone = disk_size(TRAINER | {"save_policy_only": True}, **sizes)
    assert alone == (2 * 4 + 12, 4 + 3 * 12 + 12, 4 + 2 * 12)
    refusing = disk_size(TRAINER, **sizes, held_states=2)
    assert refusing == (2 * 36 + 12, 36 + 2 * 36 + 12 + 12, 3 * 36)


def test_a_collapse_keeps_the_last_healthy_ones_besides() -> None:
    sizes: dict[str, Any] = {"policy_bytes": 4, "resume_bytes": 8, "recordings": 0}
    calm, collapsed = disk_size(TRAINER, **sizes), disk_size(TRAINER, **sizes, healthy=2)
    assert collapsed == (calm.finished, calm.at_most + 2 * 12, calm.at_least)
    short = TRAINER | {"steps": 20}
    assert disk_size(short, **sizes, healthy=2).at_most == disk_size(short, **sizes).at_most, "none is made for it"


@pytest.mark.parametrize(
    ("changed", "at_least"),
    [({"steps": 20}, 2), ({"steps": 10}, 1), ({"checkpoint_every": 0}, 1), ({"keep": 0}, 2), ({"keep_best": True}, 3)],
)
def test_what_a_run_takes_in_any_case(changed: dict[str, Any], at_least: int) -> None:
    """Whole checkpoints; the best, and those apart, may be among the newest."""
    sizes: dict[str, Any] = {"policy_bytes": 1, "resume_bytes": 0, "recordings": 5}
    assert disk_size(TRAINER | changed, **sizes).at_least == at_least


@pytest.mark.parametrize(
    ("changed", "held", "expected"),
    [
        ({}, ((12, 12), 20), (24, 12 + 3 * 12, 3 * 12)),  # on its way: as at its start
        ({"save_policy_only": True}, ((4, 12), 20), (8, 4 + 3 * 12, 4 + 2 * 12)),
        ({}, ((12,), 60), (12, 12, 12)),  # pruned to one and finished: it writes nothing
        ({}, ((4,), 60), (4, 4, 4)),  # of the policy alone
        ({"steps": 70, "keep": 9}, ((12,), 60), (24, 12 + 3 * 12, 24)),  # pruned to one: another comes, not six
        ({"steps": 70, "keep": 2}, ((12,), 60), (24, 12 + 3 * 12, 24)),
        ({"steps": 80, "keep": 2}, ((12,), 60), (24, 12 + 3 * 12, 36)),  # the third is written beside two
        ({"keep": 4}, ((12,), 45), (36, 24 + 3 * 12, 36)),  # those of 50 and 60 are to come
        ({"keep": 1}, ((12,), 25), (12, 3 * 12, 24)),
    ],
)
def test_what_a_run_still_writes_beside_what_its_folder_holds(
    changed: dict[str, Any], held: tuple[tuple[int, ...], int], expected: tuple[int, int, int]
) -> None:
    """At most, the state before a step that a signal interrupts is written as well: 12 more."""
    found = disk_size(TRAINER | changed, policy_bytes=4, resume_bytes=8, recordings=0, held=HeldCheckpoints(*held))
    assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [("algorithm=ppo",), ("algorithm=tvo", "trainer.save_policy_only=true")],
)
def test_the_dry_run_says_what_a_run_leaves_within_a_tenth(words: tuple[str, ...], tmp_path: Path) -> None:
    given = (*words, "trainer.steps=2", "trainer.checkpoint_every=1", "recorder=off")
    run = train_in(tmp_path / "run", given)
    sizes = derived_sizes(config.compose([*given, "output_dir=x"]))
    left = sum(file.stat().st_size for file in run.glob("checkpoints/*/**/*.safetensors"))
    assert sizes.disk is not None and sizes.disk.finished == pytest.approx(left, rel=0.1)
    assert sizes.disk.at_most > sizes.disk.finished
    assert sizes.table["disk when finished, GB"][0] == round(sizes.disk.finished / 1e9, 4)
