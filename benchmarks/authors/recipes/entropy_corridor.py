"""EPO beside its authors' fork of verl."""

from __future__ import annotations

from types import SimpleNamespace

import numpy
from torch import Tensor

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import RandomBatch, loss_of, with_entropy_after_logp
from benchmarks.authors.released_code import Released, ReleasedStatements
from benchmarks.authors.stand_ins import VERL, Settings
from benchmarks.authors.verl_arguments import core_algorithms, graded

REPOSITORY, COMMIT = "WujiangXu/EPO", "5b6fa98e034639b95afbfb24f98d1cb1e5197542"
ACTOR = "verl/workers/actor/dp_actor.py"
MEAN, LOW, HIGH, COEFFICIENT, SCALE = 1.2, 0.8, 1.2, 1e-3, 0.1  # nats of the past; the released corridor and weights
TURNS = 50
SLOPE = 300.0  # nats of entropy a nat of log π: so that the bonus is not lost beside the clipped loss
TOKEN_MEAN = "algorithm.objective.reduce._target_=tvo_cli.objective.reduction.token_mean"


def epo(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both add an entropy bonus and what a corridor around the past's mean makes of it to the clipped loss."""
    ours = loss_of("epo", batch, *settings_of_ours(SCALE), past=(MEAN,), by=batch.entropy)
    return batch.outcome(theirs_loss(code, batch, SCALE), batch.entropy), ours


def settings_of_ours(scale: float) -> list[str]:
    """The mean over tokens, and the corridor of a weight."""
    corridor = (f"low={LOW}", f"high={HIGH}", f"coef={COEFFICIENT}", f"scale={scale}", "phase=1e9")
    return [TOKEN_MEAN, *(f"algorithm.objective.penalties.epo.{each}" for each in corridor)]


def without_corridor(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """The same with a corridor of no weight, whose entropies follow log π: their gradient is in that by log π."""
    ours = loss_of("epo", with_entropy_after_logp(batch, SLOPE), *settings_of_ours(0.0), past=(MEAN,))
    return batch.outcome(theirs_loss(code, with_entropy_after_logp(batch, SLOPE), 0.0)), ours


def theirs_loss(code: SimpleNamespace, batch: RandomBatch, scale: float) -> Tensor:
    """The authors' estimator and the loss of their update, in a turn late enough for the corridor to act."""
    experience, mask = batch.experience, batch.mask.double()
    rows = range(len(mask))
    advantage, _ = code.compute_grpo_outcome_advantage(**graded(batch), traj_index=list(rows))
    actor = SimpleNamespace(
        config=settings_of_theirs(scale),
        gradient_accumulation=1,
        _forward_micro_batch=lambda **_: (batch.entropy, batch.logp),
        generate_entropy_penalty=lambda *known, **more: code.generate_entropy_penalty(None, *known, **more),
    )
    columns = {"responses": mask, "attention_mask": mask, "old_log_probs": experience.old_logp}
    found: Tensor = code.run(
        self=actor,
        data={**columns, "advantages": advantage},
        multi_turn=False,
        temperature=1.0,
        metrics={},
        entropy_history=numpy.full(TURNS, MEAN),
        current_micro_rollout_step=numpy.full(len(rows), TURNS // 2),
    ).loss
    return found


def settings_of_theirs(scale: float) -> Settings:
    """The released settings, without the schedule of the corridor's weight."""
    return Settings(
        clip_ratio=0.2,
        clip_ratio_low=0.2,
        clip_ratio_high=0.2,
        clip_ratio_c=3.0,
        entropy_coeff=COEFFICIENT,
        entropy_smooth_coeff=1.0,
        loss_agg_mode="token-mean",
        entropy_smooth=True,
        max_step=TURNS,
        entropy_smooth_min_ratio=LOW,
        entropy_smooth_max_ratio=HIGH,
        entropy_smooth_out_range_penalty=scale,
        entropy_smooth_mask_mode="token",
        enable_smooth_weights=False,
        use_kl_loss=False,
        use_dynamic_bsz=False,
    )


BESIDE = (
    core_algorithms(REPOSITORY, COMMIT, "compute_grpo_outcome_advantage", "compute_policy_loss"),
    Released(REPOSITORY, COMMIT, ACTOR, ("DataParallelPPOActor.generate_entropy_penalty",)),
)
OVER_TOKENS = "the recipe's mean is over responses, the released one over tokens"
DUAL = "the released loss is dual-clipped at a ratio of 3, ours is not: of these batches no token goes so far"
CODE = ReleasedStatements(REPOSITORY, COMMIT, ACTOR, "DataParallelPPOActor.update_policy", "responses", "loss", BESIDE)
COMPARISONS = [
    Comparison(
        "epo",
        CODE,
        without_corridor,
        "the whole recipe as a mean over tokens, with a corridor of no weight, which is a plain entropy bonus",
        VERL,
        f"{OVER_TOKENS}; {DUAL}",
    ),
    Comparison(
        "epo",
        CODE,
        epo,
        f"the whole recipe as a mean over tokens, with a corridor of {LOW:g} to {HIGH:g} and no schedule of its "
        "weight; the gradient by the entropy",
        VERL,
        "the released corridor is a number outside and 0 inside: it changes the loss and no gradient, which is that of "
        "a plain entropy bonus. Ours is the paper's second version, whose corridor has a gradient. The recipe's "
        "mean is over responses, the released one over tokens",
    ),
]
