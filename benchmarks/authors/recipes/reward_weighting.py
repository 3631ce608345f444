"""Dynamic reward weighting beside its authors' code: the factor by hypervolume, the weights by gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace

import torch
from torch import Tensor

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import Outcome, RandomBatch
from benchmarks.authors.released_code import Released, ReleasedStatements
from benchmarks.authors.stand_ins import silent
from tvo_cli.maths.hypervolume_and_mirror_ascent import hypervolume
from tvo_cli.reward.reward_sum import weighted_reward_sum
from tvo_cli.training.reward_terms.gradient_weighting import GradientWeighting
from tvo_cli.training.reward_terms.hypervolume_weighting import HypervolumeWeighting

REPOSITORY, COMMIT = "yining610/dynamic-reward-weighting", "9ee21ebe71fbcadbdf79ec8955cdc04684dcd3d7"
HYPERVOLUME, GRADIENT = "(setting) reward.weighting=hypervolume", "(setting) reward.weighting=gradient"
EVALUATIONS = 8  # of a run, the first of which is the reference
SETS = 40
RATE, REGULARISATION = 1e-6, 1e-5  # of the released script; ours is their quotient
STEPS, EVERY = 6, 2  # of a run; whose influences are averaged before the weights move


def evaluations(means: Tensor) -> list[list[float]]:
    """Means of three terms, one evaluation a row, the first 0; the last term is to be made small."""
    return [[0.0, 0.0, 0.0], *(means * torch.tensor([1.0, 1.0, -1.0])).tolist()]


def drawn(batch: RandomBatch) -> Tensor:
    """Random numbers about 0 of spread 2, a row for each evaluation but the first, [evaluations, 3]."""
    return batch.logits.flatten()[: 3 * (EVALUATIONS - 1)].view(-1, 3)


def theirs_factors(code: SimpleNamespace, points: list[list[float]]) -> Iterator[float]:
    """The authors' factor after each evaluation but the first; until one ends in their error."""
    kept = [tuple(points[0])]
    for point in points[1:]:
        try:
            factor, gain = code.compute_score(kept, tuple(point), [True, True, False])
        except ValueError:  # "Unexpected negative hypervolumn contribution"
            return
        if gain > 0:
            kept.append(tuple(point))
        yield factor


def ours_factors(points: list[list[float]]) -> Iterator[float]:
    """Our factor after each evaluation but the first."""
    weighting = HypervolumeWeighting({"right": 1.0, "form": 0.5, "length": -0.2}, base=0.5, scale=1.5)
    for step, point in enumerate(points):
        weighting.read_evaluation(dict(zip(weighting.weights, point, strict=True)), step)
        if step:
            yield weighting.factor


def factors(code: SimpleNamespace, points: list[list[float]]) -> Pair:
    """The factors of a run in place of a gradient, their mean in place of a loss; as far as theirs come."""
    pairs = [*zip(theirs_factors(code, points), ours_factors(points), strict=False)]
    theirs, ours = torch.tensor(pairs, dtype=torch.float64).T
    return Outcome(theirs.mean(), theirs), Outcome(ours.mean(), ours)


def above_the_reference(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Evaluations that are all better than the first, in every term."""
    return factors(code, evaluations(drawn(batch).sigmoid()))


def around_the_reference(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Evaluations of which many are worse than the first in some term."""
    return factors(code, evaluations(drawn(batch).tanh()))


def volumes(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Volumes of random sets of six points around a reference of 0, in place of a gradient; their mean."""
    sets = batch.logits.flatten()[: 12 * SETS].tanh().view(SETS, 6, 2).tolist()
    theirs = torch.tensor([code._hypervolume([tuple(point) for point in each], (0.0, 0.0)) for each in sets])
    ours = torch.tensor([hypervolume(each, (0.0, 0.0)) for each in sets])
    return Outcome(theirs.mean(), theirs), Outcome(ours.mean(), ours)


def by_gradients(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Weights and rewards of some steps, of random gradients of three terms, whose products are of order 1."""
    gradients = batch.logits[: 3 * STEPS].flatten(1).view(STEPS, 3, -1) / 20
    form, length = batch.logits[:, 0, :2].sigmoid().T
    terms = {"right": batch.experience.rewards, "form": form, "length": length}
    theirs, ours = theirs_run(code, gradients, terms), ours_run(batch, gradients, terms)
    return Outcome(theirs[-1].mean(), theirs), Outcome(ours[-1].mean(), ours)


def theirs_run(code: SimpleNamespace, gradients: Tensor, terms: dict[str, Tensor]) -> Tensor:
    """Each step's rewards by the authors' weights, [steps, B]."""
    actor = SimpleNamespace(regularization_factor=REGULARISATION)
    trainer = SimpleNamespace(
        weights=torch.full((3,), 1 / 3, dtype=torch.float64),
        actor_rollout_wg=SimpleNamespace(get_remote_attr=lambda *_, **__: [[RATE]]),
        config=SimpleNamespace(
            actor_rollout_ref=SimpleNamespace(actor=actor), trainer=SimpleNamespace(default_local_dir=".")
        ),
    )
    rewards, summed = [], torch.zeros(3, dtype=torch.float64)
    for step, each in enumerate(gradients, 1):
        trainer.global_steps = step
        given = {"self": trainer, "flat_grad_mat": each, "scores_vec": summed, "weight_accumulation_steps": EVERY}
        found = code.run(**given, reward_tensor={name: values[:, None] for name, values in terms.items()})
        rewards.append(found.new_reward_tensor[:, 0])
    return torch.stack(rewards)


def ours_run(batch: RandomBatch, gradients: Tensor, terms: dict[str, Tensor]) -> Tensor:
    """Each step's rewards by our weights, [steps, B]."""
    weighting = GradientWeighting(dict.fromkeys(terms, 1 / 3), RATE / REGULARISATION, EVERY, normalise=False, floor=0.0)
    group, rewards = batch.experience.group.tolist(), []
    opinions = {name: values.tolist() for name, values in terms.items()}
    for each in gradients:
        weighting.read_gradients(each)
        rewards.append(weighted_reward_sum(opinions, weighting.current, group, [0.0] * len(group)))
    return torch.tensor(rewards, dtype=torch.float64)


SCORES = Released(
    REPOSITORY,
    COMMIT,
    "verl/utils/reward_score/dynamic_math/hypervolumn_contribution.py",
    ("_to_maximization", "_hypervolume", "compute_score"),
)
UPDATE = ReleasedStatements(
    REPOSITORY,
    COMMIT,
    "verl/trainer/ppo/ray_trainer_optimization.py",
    "OptimalRayPPOTrainer.fit",
    "train_mat",
    "new_reward_tensor",
)
FILES = SimpleNamespace(write=silent)
WRITES_NOTHING = {
    "print": silent,
    "open": lambda *_: nullcontext(FILES),
    "os": SimpleNamespace(makedirs=silent, path=SimpleNamespace(join=silent)),
    "json": SimpleNamespace(dumps=lambda _: ""),
}
FACTORS = f"the factors of {EVALUATIONS - 1} evaluations of three terms, one to be made small, in place of a gradient"
COMPARISONS = [
    Comparison(
        HYPERVOLUME,
        SCORES,
        above_the_reference,
        f"{FACTORS}, all better than the first, their mean in place of a loss",
        {"math": math},
        "there the factor multiplies the rewards, which GRPO's spread cancels; here the advantages",
    ),
    Comparison(
        HYPERVOLUME,
        SCORES,
        around_the_reference,
        f"{FACTORS}, many worse than the first in a term, as far as theirs come, their mean in place of a loss",
        {"math": math},
        "an evaluation below the first in a term may lessen the volume there, which ends the released run in an error: "
        "7 of these 50 runs, compared up to there. Ours goes on with a gain of 0",
    ),
    Comparison(
        HYPERVOLUME,
        SCORES,
        volumes,
        f"volumes of {SETS} sets of points around the reference in place of a gradient, their mean in place of a loss",
        {"math": math},
        "the released volume counts a point that is below the reference, with slices of negative volume; here it adds "
        "nothing, as hypervolume is defined. Neither keeps such a point, so that factors are the same (the row above)",
    ),
    Comparison(
        GRADIENT,
        UPDATE,
        by_gradients,
        f"rewards of {STEPS} steps by weights that move every {EVERY} in place of a gradient, their mean in place of a "
        "loss, without the floor; gradients are random and given to both",
        WRITES_NOTHING,
        "no weight falls below the floor of 0.001 here. There the gradients are of chosen layers (10 to 25 in the "
        "released scripts), of the loss with its KL, a sum over micro-batches, and clipped at a norm of 1; here of all "
        "parameters, of the surrogate alone, a sum over the batch, not clipped",
    ),
]
