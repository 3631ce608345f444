"""HAPO's parts beside their authors' fork of verl and of vLLM."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import torch

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import Outcome, RandomBatch, algorithm_of, drifted, loss_of
from benchmarks.authors.released_code import Released
from benchmarks.authors.stand_ins import VERL
from benchmarks.authors.verl_arguments import core_algorithms, graded, scored
from tvo_cli import config

REPOSITORY, COMMIT = "starriver030515/HAPO", "7671dde3e268779a949954ec75ed3edda45f7e0a"
CORE = "verl/trainer/ppo/core_algos.py"
LEVELS = ("torch_quantile", "compute_entropy_h")
ADVANTAGE = ("compute_grpo_outcome_advantage", "compute_hapo_outcome_advantage")
LOSS = core_algorithms(REPOSITORY, COMMIT, *LEVELS, "ada_clip", "ada_advantage", *ADVANTAGE, "compute_policy_loss")
TEMPERATURE = Released(
    REPOSITORY,
    COMMIT,
    "vllm/v1/sample/sampler.py",
    ("Sampler.sample.compute_entropy_based_temperature",),
    beside=(Released(REPOSITORY, COMMIT, CORE, LEVELS),),
)
DUAL = 1.5  # the bound of the dual clip: at the released 10 it never acts on these ratios
SETTINGS = {"clip_ratio_c": DUAL, "entropy_pivot": 0.8, "adaptive_clip": True, "adaptive_advantage": True}
DRIFT = 2.0  # at the drawn ratios hardly a token meets the widened clip


def loss(code: SimpleNamespace, drawn: RandomBatch, *, released_sign: bool, wrong: float = 0.0) -> Pair:
    """Advantage, redistribution, clip and token mean of the whole recipe; `wrong`: in place of a reward of 0."""
    batch = drifted(drawn, DRIFT)
    rewards = batch.experience.rewards.clamp(min=wrong)
    batch = replace(batch, experience=replace(batch.experience, rewards=rewards))
    advantage, _ = code.compute_hapo_outcome_advantage(**graded(batch), entropys=batch.experience.old_entropy)
    settings = SETTINGS | {"cliprange_low": 0.2, "cliprange_high": 0.28, "entropy": batch.entropy}
    theirs = code.compute_policy_loss(**scored(batch, advantage), **settings)[0]
    chosen = (f"released_sign={str(released_sign).lower()}", f"dual={DUAL}")
    return batch.outcome(theirs), loss_of("hapo", batch, *(f"algorithm.objective.surrogate.{each}" for each in chosen))


def temperature(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """The factors of the temperature of random distributions, after a batch of random entropies."""
    entropy, mask = batch.experience.old_entropy, batch.mask
    assert entropy is not None
    _, (pivot, spread, above, below) = code.compute_entropy_h(entropy, response_mask=mask, entropy_pivot=0.8)
    logits = batch.logits.flatten(0, 1)
    theirs = code.compute_entropy_based_temperature(
        logits, torch.ones(len(logits)), True, 0.05, (pivot, spread, above, -below), eps=0.0
    )
    rule = config.build(algorithm_of("hapo").token_temperature)
    rule.end_batch(entropy, mask)
    ours = rule.heat.factor(logits.log_softmax(-1))
    return Outcome(theirs.mean(), theirs), Outcome(ours.mean(), ours)


CLIP = "above 1 the released scripts clip at 0.2, the recipe at DAPO's 0.28: both run at 0.28"
NEAR = 0.9  # a wrong answer's reward, so near 1 that padding is far away in units of the spread
WAY_OUT = (
    "a group that holds a normalised reward of 5 or more gets GRPO's advantage: there padding counts, whose reward is "
    "0, so every group with padding does whose rewards are far from 0 beside their spread; here response tokens alone"
)
SIGN = "a negative level is divided by the negative minimum there, so that certain tokens count as uncertain ones"
SAMPLER = "of the code the sign of negative levels is turned, 1e-6 beside the spread is 0, and float32 is float64"
COMPARISONS = [
    Comparison(
        "hapo",
        LOSS,
        partial(loss, released_sign=True),
        f"the whole recipe with released_sign, log-ratios times {DRIFT:g} and a dual clip of {DUAL:g}",
        VERL,
        CLIP,
    ),
    Comparison(
        "hapo",
        LOSS,
        partial(loss, released_sign=False),
        f"the whole recipe as it is, log-ratios times {DRIFT:g} and a dual clip of {DUAL:g}",
        VERL,
        f"{SIGN}; {CLIP}",
    ),
    Comparison(
        "hapo",
        LOSS,
        partial(loss, released_sign=True, wrong=NEAR),
        f"as the first row, with rewards of 1 and {NEAR:g}",
        VERL,
        f"{WAY_OUT}; {CLIP}",
    ),
    Comparison(
        "hapo",
        TEMPERATURE,
        temperature,
        "token temperature: factors in place of a gradient, their mean in place of a loss",
        VERL,
        SAMPLER,
    ),
]
