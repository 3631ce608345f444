"""One cell of off_policy_variance: displaced policies, and the gradients of every estimator on the same batches.

A cell is a stage, a direction and a displacement. All estimators of one shape see the same responses of π_old, and all
displacements of a stage see them too. What a cell leaves behind is inner products of mean gradients, from which
every projection, bias and difference is made afterwards, with any seed left out.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.harness.child_process import FOLDER
from benchmarks.harness.record import Row
from tvo_cli import config
from tvo_cli.experiment import train
from tvo_cli.experiment.build_session import build_session
from tvo_cli.training.batch import SampledBatch
from tvo_cli.training.behaviour_policy import BehaviourPolicy
from tvo_cli.training.gradient_variance_probe import gradient_of_batch
from tvo_cli.training.rollout_collection.assemble_batch import assemble_batch
from tvo_cli.training.rollout_collection.collect_rollouts import sample_batch
from tvo_cli.training.session import Session
from tvo_cli.training.stopwatch import Stopwatch
from tvo_cli.training.update.policy_update import adapt_after_batch

PLACE = FOLDER / "off_policy_variance"
ALONE = ("logger=none", "logger.console=off", "evaluation=off", "recorder=off", "trainer.threads=1")
TRUE, TRUE_RECIPE = "true", "grpo_shrunk_cv"  # on-policy it has no bias, and is the quickest to average down
ESTIMATORS: Mapping[str, str] = {  # the first is the one the others are compared with
    "grpo": "grpo",
    "clip": "grpo_shrunk",
    "clip, control": "grpo_shrunk_cv",
    "clip, consistent": "grpo_shrunk_cv_consistent",
    "mobility": "tvo_2025 algorithm.objective.forces.control.high=0.0",
    "mobility, control": "tvo_2025",
    "mobility, consistent": "tvo_consistent",
    "mobility, consistent, 128 × 1": "tvo_consistent rollout.prompts=128 rollout.samples=1",
    "no wall, consistent": "grpo_shrunk_cv_consistent algorithm.objective.surrogate.low=inf"
    " algorithm.objective.surrogate.high=inf",
    "clip, consistent, sharpened": "grpo_shrunk_cv_sharpened algorithm.objective.forces.tsallis.coef.first=-1.0"
    " algorithm.objective.forces.tsallis.coef.last=-1.0",
}
DIRECTIONS: Mapping[str, tuple[str, ...]] = {  # one batch's update of an algorithm from the stage's policy
    "tvo": ("algorithm=tvo_2025",),
    "grpo": ("algorithm=grpo", "rollout.epochs=4", "rollout.minibatches=4"),
}
Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Sizes:
    """What a stage's batches depend on."""

    algorithm: str  # that trained the policy of the stages
    last: int  # its batches
    seeds: tuple[int, ...]
    batches: int
    warm_up: int
    true_batches: int


@dataclass(frozen=True)
class Stage:
    """A behaviour policy with its batches, and every estimator as warm-up batches have left it."""

    sessions: Mapping[str, Session]
    batches: Mapping[tuple[str, int], Sequence[SampledBatch]]  # of an estimator and a seed; those of a shape are one
    states: Mapping[tuple[str, int], Any]  # the adapted algorithm's
    weights: Weights


def rows_of_cell(sizes: Sizes, batch: int, direction: str, displacement: float) -> list[Row]:
    """A row an estimator and seed, with the inner products of its mean gradient and those of the rows up to it."""
    stage = prepared_stage(sizes, batch)
    words = _model(sizes, batch)
    moved, scale = displaced(stage, _direction(words, batch, direction), displacement)
    rows, means = [], []
    for row, mean in (*_measured(stage, sizes, moved), *_true(words, sizes, moved)):
        rows.append(row | {"scale": scale})
        means.append(mean)
    products = torch.stack(means) @ torch.stack(means).T
    return [
        row | {"products": _short(line[: place + 1])} for place, (row, line) in enumerate(zip(rows, products.tolist()))
    ]


def _short(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def _measured(stage: Stage, sizes: Sizes, moved: Weights) -> Iterator[tuple[Row, Tensor]]:
    for session in stage.sessions.values():
        session.learner.policy.restore(moved)
    for (name, seed), drawn in stage.batches.items():
        session = stage.sessions[name]
        session.learner.algorithm.load_state_dict(copy.deepcopy(stage.states[name, seed]))
        beta = session.learner.algorithm.objective.readings(0.0).get("control/beta", 0.0)
        yield _moments(session, drawn[sizes.warm_up :], name, seed, beta)


def _moments(session: Session, drawn: Sequence[SampledBatch], name: str, seed: int, beta: float) -> tuple[Row, Tensor]:
    """tr Cov and mean of the gradient of batches that were sampled before."""
    total, squares, apart, rewards = torch.zeros(()), [], 0.0, 0.0
    for one in drawn:
        batch = assemble_batch(session, one)
        gradient, displacement = gradient_of_batch(session, batch)
        total = total + gradient
        squares.append(float(gradient @ gradient))
        apart, rewards = apart + displacement, rewards + float(batch.experience.rewards.mean())
    count, mean = len(drawn), total / len(drawn)
    trace = (sum(squares) - count * float(mean @ mean)) / (count - 1)
    found = {"trace": trace, "squares": _short(squares), "moved": apart / count}
    return {"estimator": name, "seed": seed, "beta": beta, "reward": rewards / count} | found, mean


def _true(words: Sequence[str], sizes: Sizes, moved: Weights) -> Iterator[tuple[Row, Tensor]]:
    """The on-policy gradient at the displaced policy, a block of batches for each seed, with problems of its own."""
    for seed in sizes.seeds:
        with ExitStack() as resources:
            session = _session(TRUE_RECIPE, seed + 1000, words, resources)
            session.learner.policy.restore(moved)
            _warmed_up(session, _sampled(session, sizes.warm_up))
            yield _moments(session, _sampled(session, sizes.true_batches), TRUE, seed, 0.0)


@cache
def prepared_stage(sizes: Sizes, batch: int) -> Stage:
    """Its sessions, its batches and what warm-up leaves."""
    words = _model(sizes, batch)
    resources = ExitStack()  # of graders, which end with the process
    sessions = {name: _session(recipe, sizes.seeds[0], words, resources) for name, recipe in ESTIMATORS.items()}
    start = next(iter(sessions.values())).learner.policy.trained_tensors()
    drawn: dict[tuple[int, int, int], list[SampledBatch]] = {}
    batches, states = {}, {}
    for name, session in sessions.items():
        fresh = copy.deepcopy(session.learner.algorithm.state_dict())
        for seed in sizes.seeds:
            shape = (session.limits.prompts, session.sampling.samples, seed)
            if shape not in drawn:
                with ExitStack() as own:
                    drawn[shape] = _sampled(_session(ESTIMATORS[name], seed, words, own), sizes.warm_up + sizes.batches)
            session.learner.algorithm.load_state_dict(copy.deepcopy(fresh))
            _warmed_up(session, drawn[shape][: sizes.warm_up])
            batches[name, seed] = drawn[shape]
            states[name, seed] = copy.deepcopy(session.learner.algorithm.state_dict())
    return Stage(sessions, batches, states, {name: tensor.detach().clone() for name, tensor in start.items()})


def _session(recipe: str, seed: int, words: Sequence[str], resources: ExitStack) -> Session:
    algorithm, *own = recipe.split()
    place = PLACE / "sessions"
    asked = [f"algorithm={algorithm}", *ALONE, "stability.reference=false", *own, *words, f"seed={seed}"]
    return build_session(config.compose([*asked, f"output_dir={place}"]), place, resources)


def _sampled(session: Session, count: int) -> list[SampledBatch]:
    found = []
    for _ in range(count):
        found.append(sample_batch(session, Stopwatch()))
        session.counters.step += 1
    return found


def _warmed_up(session: Session, drawn: Sequence[SampledBatch]) -> None:
    """At the parameters that are there, let baselines and β learn."""
    for one in drawn:
        batch = assemble_batch(session, one)
        gradient_of_batch(session, batch)
        adapt_after_batch(session.learner, batch)


def displaced(stage: Stage, direction: Weights, wanted: float) -> tuple[Weights, float]:
    """Weights along the direction at which mean |π − π_old| of the first seed's batches is as wanted, and how far."""
    if not wanted:
        return stage.weights, 0.0
    name, seed = next((name, seed) for name, seed in stage.batches if name == "clip")
    session, drawn = stage.sessions[name], stage.batches[name, seed][:4]

    def apart(scale: float) -> float:
        session.learner.policy.restore(_along(stage.weights, direction, scale))
        return sum(gradient_of_batch(session, assemble_batch(session, one))[1] for one in drawn) / len(drawn)

    low, high = 0.0, 1.0
    while apart(high) < wanted:
        low, high = high, 2.0 * high
        if high > 1e4:
            raise ValueError(f"no scale of this direction moves the policy by {wanted}")
    for _ in range(12):
        middle = (low + high) / 2.0
        low, high = (middle, high) if apart(middle) < wanted else (low, middle)
    return _along(stage.weights, direction, high), high


def _along(start: Weights, direction: Weights, scale: float) -> Weights:
    return {name: tensor + scale * direction[name] for name, tensor in start.items()}


def _direction(words: Sequence[str], batch: int, direction: str) -> Weights:
    """What one batch of the algorithm changes of the stage's policy; its own batch is none of the measured ones."""
    folder = PLACE / f"{direction}-{batch}"
    if not (folder / "summary.json").is_file():
        steps = ("trainer.steps=1", "trainer.checkpoint_every=1", "stability=off", "seed=101")
        train(config.compose([*DIRECTIONS[direction], *ALONE, *steps, *words, f"output_dir={folder}"]))
    with ExitStack() as resources:
        policy = _session(TRUE_RECIPE, 101, words, resources).learner.policy
        before = {name: tensor.detach().clone() for name, tensor in policy.trained_tensors().items()}
        after = policy.read_saved(folder / "checkpoints" / "step-000001" / "policy")
        with BehaviourPolicy(policy, after).in_place():
            return {name: tensor.detach() - before[name] for name, tensor in policy.trained_tensors().items()}


def _model(sizes: Sizes, batch: int) -> tuple[str, ...]:
    """The override that names the policy after so many batches; of none, the start."""
    if not batch:
        return ()
    folder = PLACE / f"{sizes.algorithm}-{sizes.last}"
    if not (folder / "summary.json").is_file():
        kept = (f"trainer.steps={sizes.last}", "trainer.checkpoint_every=1", "trainer.keep=99", "stability=off")
        train(config.compose([f"algorithm={sizes.algorithm}", "seed=100", *kept, *ALONE, f"output_dir={folder}"]))
    return (f"model.path={Path(folder) / 'checkpoints' / f'step-{batch:06d}' / 'policy'}",)
