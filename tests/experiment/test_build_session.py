"""The parts of a run are connected: what its plan bounds is bounded where it samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.decoded_rows import note_rows_of_each_step
from tests.training.conftest import train_in

SAMPLED = ("trainer.steps=1", "rollout.epochs=1", "rollout.prompts=8", "rollout.samples=2", "rollout.max_tokens=4")
EVALUATED = ("evaluation=default", "evaluation.problems=24", "evaluation.samples=1", "evaluation.max_tokens=4")


@pytest.mark.parametrize(("cache", "rows"), [("auto", {16, 24}), ("1e-9", {1})])
def test_the_rows_of_a_run_and_of_its_evaluations_are_those_that_the_cache_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: str, rows: set[int]
) -> None:
    found = note_rows_of_each_step(monkeypatch)
    train_in(tmp_path / "run", (*SAMPLED, *EVALUATED, f"rollout.cache_gb={cache}"))
    assert rows <= set(found) and max(found) == max(rows)
