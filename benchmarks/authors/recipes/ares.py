"""ARES beside its authors' fork of EasyR1: windows, difficulties, rewards and loss."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import Outcome, RandomBatch, drifted, loss_of, with_entropy_of_logits
from benchmarks.authors.released_code import Released
from benchmarks.authors.stand_ins import VERL, silent
from benchmarks.authors.verl_arguments import graded, masks_of, on_tokens
from tvo_cli.advantage import DifficultyEntropyReward

REPOSITORY, COMMIT = "shawn0728/ARES", "146620e3d7166281ffb14634c580c6dcd3a5943d"
of_file = partial(Released, REPOSITORY, COMMIT)
WINDOWS = of_file(
    "verl/workers/rollout/vllm_rollout_spmd.py",
    (
        "normalize_token",
        "compute_reasoning_token_window_entropy",
        "get_window_average_entropy_percentile_threshold_list",
    ),
)
DIFFICULTY = of_file("verl/trainer/ray_trainer.py", ("RayPPOTrainer.update_difficulty_and_skip_gid_set",))
REWARD = of_file(
    "examples/reward_function/aepo.py",
    (
        "format_reward",
        "accuracy_reward",
        "_huber_penalty",
        "_sigmoid_saturate",
        "_margin_from_target",
        "compute_score",
    ),
)
CODE = of_file(
    "verl/trainer/core_algos.py",
    ("compute_grpo_outcome_advantage", "average_loss", "compute_policy_loss"),
    beside=(WINDOWS, DIFFICULTY, REWARD, masks_of(REPOSITORY, COMMIT, names=("masked_mean",), seen_as="VF")),
)
WINDOW = 2  # tokens: of the released 4 the short responses have hardly more than one
THRESHOLD = 1.2  # nats, θ
DRIFT = 4.0  # of the drawn ratios none is above 3
EVERY_TOKEN = {"t"}


def words_of(batch: RandomBatch) -> list[list[dict[int, Any]]]:
    """The log-probabilities of all words at each token of each response, as vLLM returns those of the likeliest."""
    log_pi = batch.logits.log_softmax(-1).tolist()
    rows = [row[:length] for row, length in zip(log_pi, batch.mask.sum(1).tolist(), strict=True)]
    return [[{v: SimpleNamespace(logprob=x) for v, x in enumerate(words)} for words in row] for row in rows]


def rewards_of(code: SimpleNamespace, batch: RandomBatch) -> Tensor:
    """The shaped rewards, [B], of a trainer's first batch at a given θ."""
    tokenizer = SimpleNamespace(decode=lambda ids: "t")
    counts, _, _ = code.compute_reasoning_token_window_entropy(
        words_of(batch), tokenizer, THRESHOLD, EVERY_TOKEN, WINDOW
    )
    start = dict.fromkeys(("easy", "medium", "hard"), 0.5)
    of_update = {"alpha_entropy_lr": 0.05, "alpha_entropy_min": 0.0, "alpha_entropy_max": 2.0}
    trainer = SimpleNamespace(
        difficulty_dict_train={}, target_high_entropy_token_num_dict={}, alpha_entropy_dict=start, **of_update
    )
    assert batch.experience.correct is not None
    right, groups = batch.experience.correct.double().tolist(), batch.experience.group.tolist()
    columns = {"global_id": groups, "accuracy": right, "entropies": counts, "high_entropy_token_num": counts}
    code.update_difficulty_and_skip_gid_set(trainer, SimpleNamespace(non_tensor_batch=columns))
    levels = [trainer.difficulty_dict_train[group] for group in groups]
    inputs = [scored(trainer, *each) for each in zip(right, levels, counts, strict=True)]
    return torch.tensor([score["overall"] for score in code.compute_score(inputs)], dtype=torch.float64)


def scored(trainer: SimpleNamespace, accuracy: float, level: str, count: int) -> dict[str, Any]:
    """What the reward function is told of a response."""
    return {
        "response": "",
        "ground_truth": "",
        "accuracy": accuracy,
        "difficulty": level,
        "high_entropy_token_num": count,
        "target_high_entropy_token_num": trainer.target_high_entropy_token_num_dict[level],
        "alpha_entropy": trainer.alpha_entropy_dict[level],
    }


def loss(code: SimpleNamespace, drawn: RandomBatch) -> Pair:
    """Windows, difficulties, targets and strengths, rewards, advantage and clipped loss, of both."""
    batch = with_entropy_of_logits(drifted(drawn, DRIFT))
    shaped = replace(batch, experience=replace(batch.experience, rewards=rewards_of(code, batch)))
    advantage, _ = code.compute_grpo_outcome_advantage(**graded(shaped))
    theirs, _ = code.compute_policy_loss(
        batch.experience.old_logp, batch.logp, advantage, on_tokens(batch), 0.2, 0.3, 3.0, "token"
    )
    shaping = "algorithm.reward_shaping.ares"
    ours = loss_of("ares", batch, f"{shaping}.window={WINDOW}", f"+{shaping}.threshold={THRESHOLD}")
    return batch.outcome(theirs), ours


def threshold(code: SimpleNamespace, drawn: RandomBatch) -> Pair:
    """θ of a first batch."""
    batch = with_entropy_of_logits(drawn)
    found = code.get_window_average_entropy_percentile_threshold_list(words_of(batch), 95.0, WINDOW)
    theirs = torch.tensor(found, dtype=torch.float64).quantile(0.5)
    rule = DifficultyEntropyReward(window=WINDOW, percentile=0.95, average=0.99, start=0.5, rate=0.05, largest=2.0)
    rule.end_batch(batch.experience)
    ours = torch.tensor(rule.state_dict()["threshold"], dtype=torch.float64)
    return Outcome(theirs, theirs[None]), Outcome(ours, ours[None])


MORE = VERL | {
    "math": math,
    "re": re,
    "extract_boxed_content": silent,
    "grade_answer": silent,
}
LEFT_OUT = "every token counts where that code has a list of trigger words; the KL loss of 0.01 is left out"
COMPARISONS = [
    Comparison(
        "ares",
        CODE,
        loss,
        f"the whole recipe, its first batch, at a θ of {THRESHOLD:g} and windows of {WINDOW}, log-ratios times "
        f"{DRIFT:g}",
        MORE,
        LEFT_OUT,
    ),
    Comparison(
        "ares",
        WINDOWS,
        threshold,
        f"θ of a first batch, windows of {WINDOW}",
        MORE,
        "the code lengthens a response's windows by the mean of those before, once for each token without a whole one, "
        "takes the entropy of a token where there is none before, and the middle of two medians; ours counts whole "
        "windows alone, and takes the lower median",
    ),
]
