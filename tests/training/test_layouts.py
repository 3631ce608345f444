"""The same update and the same readings, however a minibatch is cut; against one batch in one pass."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from tests.training.conftest import MetricRows, Runs
from tvo_cli import config, experiment
from tvo_cli.maths import masked
from tvo_cli.stability.collapse_watch import CollapseAction
from tvo_cli.training import training_loop
from tvo_cli.training.session import Session
from tvo_cli.training.step_state import StepInProgress, UpdateReport
from tvo_cli.training.update.policy_update import remaining_minibatches_of_update

from .conftest import SMALL, largest_difference, trained_policy

EIGHT = ("rollout.prompts=16", "rollout.samples=1", "rollout.minibatches=2", "rollout.epochs=1", "trainer.steps=1")
LAYOUTS = {"1x8": 8, "2x4": 4, "8x1": 1}  # parts × rows of a minibatch of eight


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["tvo", pytest.param("ppo", marks=pytest.mark.slow)])
def test_one_two_or_eight_parts_give_the_same_update_and_metrics(run: Runs, steps: MetricRows, algorithm: str) -> None:
    found = {}
    for name, rows in LAYOUTS.items():
        folder = run(
            name, f"algorithm={algorithm}", *EIGHT, f"trainer.microbatch_rows={rows}", "trainer.variance_parts=8"
        )
        found[name] = trained_policy(folder), steps(folder)[0]
    whole, readings = found["1x8"]
    for weights, row in (found["2x4"], found["8x1"]):
        assert largest_difference(whole, weights) < 1e-6
        assert row.keys() == readings.keys()
        assert all(row[name] == pytest.approx(value, rel=1e-4, abs=1e-6) for name, value in readings.items())


@pytest.mark.parametrize(
    ("algorithm", "rows"),
    [
        *(("grpo", 0), ("ppo", 4), ("tvo", 2)),
        *(pytest.param(*one, marks=pytest.mark.slow) for one in (("grpo", 2), ("ppo", 0), ("tvo", 4))),
    ],
)
def test_losses_and_norm_are_those_of_one_batch_by_plain_autograd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, algorithm: str, rows: int
) -> None:
    """The oracle knows no parts, no forces on tokens: the whole minibatch, its loss, one backward pass."""
    words = (
        f"algorithm={algorithm}",
        "trainer.steps=1",
        "rollout.epochs=1",
        f"trainer.microbatch_rows={rows}",
        "trainer.variance_parts=1",
    )
    seen = Seen()
    monkeypatch.setattr(training_loop, "start_step", seen.start_step)
    monkeypatch.setattr(training_loop, "finish_step", seen.finish_step)
    experiment.train(config.compose([*SMALL, *words, f"output_dir={tmp_path}"]))
    for name, value in seen.losses.items():
        assert seen.report.losses[name][0] == pytest.approx(value, rel=1e-4, abs=1e-7)
    assert seen.report.norms[0] == pytest.approx(seen.norm, rel=1e-4)


class Seen:
    """A step of the loop as it is, and what the oracle says of it: before its update the losses and the norm."""

    losses: dict[str, float]
    norm: float
    report: UpdateReport

    def __init__(self) -> None:
        self._start, self._finish = training_loop.start_step, training_loop.finish_step

    def start_step(self, session: Session) -> StepInProgress:
        work = self._start(session)
        self.losses, self.norm = oracle(session, work)
        return work

    def finish_step(self, session: Session, work: StepInProgress) -> CollapseAction:
        self.report = dataclasses.replace(work.report)
        return self._finish(session, work)


def oracle(session: Session, work: StepInProgress) -> tuple[dict[str, float], float]:
    from tvo_cli.types import Tokens

    learner, batch, passes = session.learner, work.batch, session.passes
    minibatch = next(remaining_minibatches_of_update(learner, work, passes, seed=0, step=0, steps=1))
    rows, rollout, experience = minibatch.rows, batch.rollout, batch.experience
    scores = learner.policy.score(
        *(rollout.prompt_ids[rows], rollout.prompt_mask[rows], rollout.response_ids[rows], rollout.mask[rows]), 1.0
    )
    tokens = Tokens(
        *(scores.logp, experience.old_logp[rows], scores.entropy, scores.collision, batch.advantage.values[rows]),
        mask=experience.mask[rows],
        share=learner.algorithm.objective.reduce(experience.mask[rows]),
        scale=batch.advantage.scale,
        ref_logp=None if experience.ref_logp is None else experience.ref_logp[rows],
    )
    loss = learner.algorithm.objective(tokens)
    gradients = torch.autograd.grad(loss.total, learner.parameters)
    norm = float(torch.cat([g.flatten() for g in gradients]).norm())
    assert float(masked.mean(tokens.logp.detach(), tokens.mask)) < 0.0
    return {name: float(part.detach()) for name, part in loss.parts.items()}, norm
