"""Runs with reward functions of a user's own: what they add, what they must not touch, and resumed to the bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.training.conftest import MetricRows, Runs, Whole, composed, trained_policy
from tvo_cli.errors import UserError
from tvo_cli.experiment.build_session import build_session
from tvo_cli.tracking.metric_names import is_known_metric
from tvo_cli.training.gradient_variance_probe import gradient_of_batch
from tvo_cli.training.reward_terms.reward_term_gradients import gradients_of_terms
from tvo_cli.training.rollout_collection.assemble_batch import assemble_batch
from tvo_cli.training.rollout_collection.collect_rollouts import sample_batch
from tvo_cli.training.stopwatch import Stopwatch

CODE = '''
import os, random
import numpy
import torch


def brevity(responses, words):
    """Few twos are better; and a bad neighbour, as far as random numbers and folders go."""
    random.seed(1), numpy.random.seed(1), torch.manual_seed(1), os.chdir("/")
    return [words / (12 + text.count("2")) for text in responses]


def seven(responses, verdicts):
    return [None if verdict.correct else float("7" in text) for text, verdict in zip(responses, verdicts)]


def late(responses, step):
    return [float("nan") if step == 3 else 1.0 for _ in responses]
'''


@pytest.fixture(scope="session")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """The override that names these functions, as `name=weight`."""
    path = tmp_path_factory.mktemp("own") / "mine.py"
    path.write_text(CODE)

    def override(**weights: float) -> str:
        words = {"brevity": ", words: 12"}
        entries = [
            f"{{call: {path}:{name}, weight: {weight}{words.get(name, '')}}}" for name, weight in weights.items()
        ]
        return f"reward.functions=[{','.join(entries)}]"

    return override


def test_functions_are_added_to_the_reward_told_as_metrics_and_kept_by_row(
    run: Runs, steps: MetricRows, mine: Callable[..., str]
) -> None:
    """Rewards as the rows say, by hand: 1[correct] + 0.5 brevity + 0.25 seven, no opinion the mean of the group."""
    words = (mine(brevity=0.5, seven=0.25), "reward.isolated=false", "trainer.steps=1", "rollout.samples=2")
    folder = run("own", *words)
    (row,) = steps(folder)
    found = [json.loads(line) for line in (folder / "responses" / "step-000001.jsonl").read_text().splitlines()]
    stated = [one["rewards"]["seven"] for one in found]
    assert None in stated and {one for one in stated if one is not None} <= {0.0, 1.0}
    for first in range(0, len(found), 2):
        pair = found[first : first + 2]
        opinions = [one["rewards"]["seven"] for one in pair if one["rewards"]["seven"] is not None]
        mean = sum(opinions) / len(opinions) if opinions else 0.0
        for one in pair:
            seven = mean if one["rewards"]["seven"] is None else one["rewards"]["seven"]
            expected = one["correct"] + 0.5 * one["rewards"]["brevity"] + 0.25 * seven
            assert one["reward"] == pytest.approx(expected, abs=1e-6)
    opinions = [one for one in stated if one is not None]
    assert row["reward/seven"] == pytest.approx(sum(opinions) / len(opinions))
    assert row["reward/seven/none"] == pytest.approx(stated.count(None) / len(stated))
    assert [name for name in row if name.startswith("reward/") and not is_known_metric(name)] == []


@pytest.mark.slow
@pytest.mark.parametrize("isolated", ["true", "false"])
def test_a_function_of_no_weight_is_told_and_changes_no_bit(
    run: Runs, whole: Whole, mine: Callable[..., str], isolated: str
) -> None:
    """It seeds every generator and leaves the folder; what the run samples stays where it was."""
    watched = run("watched", mine(brevity=0.0), f"reward.isolated={isolated}", "trainer.checkpoint_every=2")
    plain = whole("trainer.checkpoint_every=2")
    one, other = trained_policy(watched, 4), trained_policy(plain, 4)
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("reward.weighting=gradient", "reward.gradient.every=2", "algorithm=grpo"),
        ("reward.weighting=hypervolume", "evaluation.problems=8", "evaluation.samples=1", "evaluation.every=1"),
    ],
)
def test_a_run_that_is_resumed_has_the_weights_of_one_that_was_not(
    resumed: Callable[..., Path], run: Runs, steps: MetricRows, mine: Callable[..., str], words: tuple[str, ...]
) -> None:
    words = (mine(brevity=0.5, seven=0.25), *words, "trainer.checkpoint_every=1")
    once, twice = run("once", *words), resumed("twice", *words, after=3)
    one, other = trained_policy(once, 4), trained_policy(twice, 4)
    assert all(torch.equal(one[name], other[name]) for name in one)
    names = ("weight", "factor")
    told = [[{name: v for name, v in row.items() if name.endswith(names)} for row in steps(at)] for at in (once, twice)]
    assert told[0] == told[1] and len({json.dumps(row) for row in told[0] if row}) > 1, "and they move"


@pytest.mark.slow
def test_the_gradient_of_one_term_is_that_of_a_run_with_this_reward_alone(
    tmp_path: Path, mine: Callable[..., str]
) -> None:
    """As `tvo variance` measures it, whose sign is that of ascent and whose unit is that of the reward."""
    from contextlib import ExitStack

    with ExitStack() as resources:
        chosen = composed(("algorithm=grpo", "rollout.samples=4", "trainer.microbatch_rows=8", mine(brevity=0.5)))
        session = build_session(chosen, tmp_path, resources)
        batch = assemble_batch(session, sample_batch(session, Stopwatch()))
        found = gradients_of_terms(session, batch)
        assert found.shape[0] == 2 and float(found.norm(dim=1).min()) > 0
    with ExitStack() as resources:
        session = build_session(composed(("algorithm=grpo", "rollout.samples=4", "seed=0")), tmp_path, resources)
        alone = assemble_batch(session, sample_batch(session, Stopwatch()))
        expected = gradient_of_batch(session, alone).values * alone.advantage.scale
    assert float((found[0] - expected).norm() / expected.norm()) < 1e-5


@pytest.mark.slow
def test_a_function_that_fails_stops_the_run_at_the_step_before_it(run: Runs, mine: Callable[..., str]) -> None:
    with pytest.raises(UserError, match=r"^reward\.functions\.0=.*late: step 3, row 0 \(problem .*\): is nan"):
        run("late", mine(late=1.0))
    assert (run.root / "late" / "checkpoints" / "step-000002").is_dir()


@pytest.mark.slow
def test_or_is_counted_and_the_run_goes_on(run: Runs, steps: MetricRows, mine: Callable[..., str]) -> None:
    rows = steps(run("counted", mine(late=1.0), "reward.on_error=count"))
    assert [row["reward/late/failed"] for row in rows] == [0.0, 0.0, 16.0, 0.0]
    assert "reward/late" not in rows[2] and rows[2]["reward/late/none"] == 1.0
