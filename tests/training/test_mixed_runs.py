"""Runs on mixtures, with a curriculum and several test sets: metrics, resuming, replay."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.conftest import Checksum, MetricRows, Runs, Whole
from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.errors import UserError
from tvo_cli.experiment.run_replay import replay

MIXTURE = (
    *("dataset=mixture", "+dataset@dataset.sources.short=arithmetic", "+dataset@dataset.sources.long=arithmetic"),
    *("dataset.sources.short.operations=[1,2]", "dataset.sources.short.limit=30", "dataset.sources.long.limit=60"),
    "dataset.weights={short: 3}",
)
RATE = ("curriculum=pass_rate",)
LEVELS = ("curriculum=levels", "curriculum.stages=[{step: 0, levels: [1, 2]}, {step: 1, levels: [2]}]")
TWO_STEPS = ("trainer.steps=2", "rollout.epochs=1")
TEST_SETS = (
    *("evaluation=quick", "evaluation.problems=6", "evaluation.samples=2"),
    *("+dataset@evaluation.test_sets.sums.dataset=addition", "evaluation.test_sets.sums.dataset.digits=1"),
    *("+evaluation.test_sets.sums.every=1", "+evaluation.test_sets.sums.problems=4", "evaluation.best=sums"),
)


def rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_a_mixture_with_a_curriculum_and_a_test_set_of_another_task(run: Runs) -> None:
    folder = run(
        "mixed", *MIXTURE, *RATE, *TEST_SETS, *TWO_STEPS, "trainer.checkpoint_every=1", "trainer.keep_best=true"
    )
    steps = [row for row in rows(folder) if "reward/mean" in row]
    assert [row["data/share/short"] for row in steps] == [0.75, 0.75]
    assert steps[0]["data/seen/short"] == pytest.approx(6 / 30)
    assert all(0 <= row["accuracy/source/long"] <= 1 for row in steps)
    evaluations = {row["step"]: row for row in rows(folder) if "reward/mean" not in row}
    assert sorted(evaluations) == [0, 1, 2]
    assert "eval/pass@1" not in evaluations[1] and "eval/sums/pass@1_low" in evaluations[1]
    assert {"eval/pass@1", "eval/short/pass@1", "eval/long/pass@1_high"} <= evaluations[2].keys()
    state = checkpoint_folders.read_stored_state(folder / "checkpoints" / "step-000001")
    assert state["counters"]["score"] == evaluations[1]["eval/sums/pass@1"]
    assert set(state["origin"]) >= {"data", "data/short", "data/long"}
    records = (folder / "responses" / "evaluation-step-000002.jsonl").read_text().splitlines()
    assert sum(json.loads(line).get("test_set") == "sums" for line in records) == 4 * 2


@pytest.mark.slow
@pytest.mark.parametrize("curriculum", [(), RATE, LEVELS], ids=["none", "pass_rate", "levels"])
@pytest.mark.parametrize("algorithm", ["tvo", "dapo"])
def test_a_run_stopped_at_every_update_draws_the_same_problems(
    run: Runs,
    in_pieces: Callable[..., tuple[Path, int]],
    weights: Checksum,
    steps: MetricRows,
    curriculum: tuple[str, ...],
    algorithm: str,
) -> None:
    mixture = MIXTURE if curriculum != LEVELS else (*MIXTURE, "dataset.sources.long.operations=[1,3]")
    words = (*mixture, *curriculum, *TWO_STEPS, "trainer.steps=3", f"algorithm={algorithm}")
    whole, (cut, stops) = run("whole", *words), in_pieces("cut", *words, most=12)
    assert stops > 3 and steps(cut) == steps(whole) and weights(cut, 3) == weights(whole, 3)


@pytest.mark.slow
def test_a_recorded_step_of_a_mixture_is_replayed_to_the_bit(whole: Whole) -> None:
    folder = whole(*MIXTURE, *RATE, "recorder.steps=[2]")
    record, (replayed,) = replay(folder, 2, [])
    assert (replayed.weights_after, replayed.order) == (record["weights_after"], record["order"])


@pytest.mark.slow
def test_a_source_whose_problems_changed_is_named_and_begins_anew_where_that_is_allowed(
    run: Runs, tmp_path: Path, steps: MetricRows
) -> None:
    file = tmp_path / "mine.jsonl"

    def write(count: int) -> None:
        lines = (json.dumps({"question": f"{n % 16} + {n // 16} =", "answer": n % 16 + n // 16}) for n in range(count))
        file.write_text("\n".join(lines))

    own = (
        *("dataset=mixture", "+dataset@dataset.sources.made=arithmetic", "+dataset@dataset.sources.mine=jsonl"),
        *(f"dataset.sources.mine.path={file}", "dataset.sources.mine.suffix=''", "dataset.sources.mine.max_tokens=20"),
    )
    write(40)
    run("own", *own, "trainer.steps=1")
    write(50)
    with pytest.raises(UserError, match=r"^dataset.sources.mine=.*resume.allow=\[dataset.sources.mine.content\]"):
        run("own", *own, "trainer.steps=2")
    folder = run("own", *own, "trainer.steps=2", "resume.allow=[dataset.sources.mine.content]")
    cursor = checkpoint_folders.read_stored_state(folder / "checkpoints" / "step-000002")["cursor"]
    assert cursor["drawn"] == {"made": 8, "mine": 8}
    assert cursor["sources"]["made"]["position"] == 8 and cursor["sources"]["mine"] == {
        "epoch": 1, "position": 4, "size": 45,
    }  # fmt: skip
