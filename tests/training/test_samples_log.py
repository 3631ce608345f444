"""responses/: which steps stay, around a firing too."""

from __future__ import annotations

import json

import pytest

from tests.training.conftest import Runs
from tvo_cli.training.samples_log import are_responses_kept


@pytest.mark.parametrize(
    ("firings", "kept"),
    [((), [1, 10, 20]), ((14,), [1, 10, 12, 13, 14, 15, 16, 20]), ((2, 18), [1, 2, 3, 4, 10, 16, 17, 18, 19, 20])],
)
def test_the_first_every_tenth_and_those_around_a_first_firing_stay(firings: tuple[int, ...], kept: list[int]) -> None:
    assert [step for step in range(1, 21) if are_responses_kept(step, firings)] == kept


@pytest.mark.slow
def test_a_run_that_collapses_keeps_what_it_wrote_then_and_its_last_healthy_policy(run: Runs) -> None:
    folder = run(
        "a",
        *("algorithm=grpo", "optimizer.lr=1e-3", "trainer.steps=14", "trainer.checkpoint_every=1", "trainer.keep=2"),
        *("stability.rules.kl_ceiling.severity=collapse", "stability.rules.kl_ceiling.limit=0.05"),
    )
    told = json.loads((folder / "collapse.json").read_text())
    first = min(firing["step"] for firing in told["firings"])
    assert 1 <= told["last_healthy_policy"] < told["collapsed_at"] - 1
    steps = {int(path.stem.removeprefix("step-")) for path in (folder / "responses").glob("step-*")}
    around = {step for at in (first, told["collapsed_at"]) for step in range(max(at - 2, 1), at + 3)}
    assert steps == {1, 10, 12, 13, 14} | {step for step in around if step <= 14}
    kept = sorted(path.name for path in (folder / "checkpoints").glob("step-*"))
    assert kept == [f"step-{told['last_healthy_policy']:06d}", "step-000013", "step-000014"]
    log = (folder / "run.log").read_text()
    assert f"kl_ceiling at step {told['collapsed_at']}: policy/kl_ref" in log
