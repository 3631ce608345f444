"""EPO beside its authors' fork of verl."""

from __future__ import annotations

from types import SimpleNamespace

import numpy
from torch import Tensor

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import RandomBatch, loss_of
from benchmarks.authors.released_code import Released, ReleasedStatements
from benchmarks.authors.stand_ins import VERL, Settings, rewards_at_the_end

REPOSITORY, COMMIT = "WujiangXu/EPO", "5b6fa98e034639b95afbfb24f98d1cb1e5197542"
ACTOR = "verl/workers/actor/dp_actor.py"
MEAN, LOW, HIGH, COEFFICIENT, SCALE = 1.2, 0.8, 1.2, 1e-3, 0.1  # nats of the past; the released corridor and weights
TURNS = 50
TOKEN_MEAN = "algorithm.objective.reduce._target_=tvo_cli.objective.reduction.token_mean"


def epo(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both add an entropy bonus and what a corridor around the past's mean makes of it to the clipped loss."""
    corridor = (f"low={LOW}", f"high={HIGH}", f"coef={COEFFICIENT}", f"scale={SCALE}", "phase=1e9")
    chosen = [f"algorithm.objective.penalties.epo.{each}" for each in corridor]
    ours = loss_of("epo", batch, TOKEN_MEAN, *chosen, past=(MEAN,), by=batch.entropy)
    return batch.outcome(theirs_loss(code, batch), batch.entropy), ours


def theirs_loss(code: SimpleNamespace, batch: RandomBatch) -> Tensor:
    """The authors' estimator and the loss of their update, in a turn late enough for the corridor to act."""
    experience, mask = batch.experience, batch.mask.double()
    rows = experience.group.tolist()
    advantage, _ = code.compute_grpo_outcome_advantage(
        rewards_at_the_end(experience), mask, rows, list(range(len(rows)))
    )
    actor = SimpleNamespace(
        config=settings(),
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


def settings() -> Settings:
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
        entropy_smooth_out_range_penalty=SCALE,
        entropy_smooth_mask_mode="token",
        enable_smooth_weights=False,
        use_kl_loss=False,
        use_dynamic_bsz=False,
    )


CORE = ("compute_grpo_outcome_advantage", "compute_policy_loss", "agg_loss")
BESIDE = (
    Released(REPOSITORY, COMMIT, "verl/trainer/ppo/core_algos.py", CORE),
    Released(REPOSITORY, COMMIT, ACTOR, ("DataParallelPPOActor.generate_entropy_penalty",)),
)
COMPARISONS = [
    Comparison(
        "epo",
        ReleasedStatements(
            REPOSITORY, COMMIT, ACTOR, "DataParallelPPOActor.update_policy", "responses", "loss", BESIDE
        ),
        epo,
        f"the whole recipe as a mean over tokens, with a corridor of {LOW:g} to {HIGH:g} and no schedule of its "
        "weight; the gradient by the entropy",
        VERL,
        "the released corridor is a number outside and 0 inside: it changes the loss and no gradient, which is that of "
        "a plain entropy bonus. Ours is the paper's second version, whose corridor has a gradient; at scale=0 the "
        "gradients agree. The recipe's mean is over responses, the released one over tokens",
    )
]
