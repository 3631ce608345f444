"""The majority vote of ETTRL beside TTRL's code, on which it stands; ETTRL's own was not found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import PROMPTS, RESPONSES, RandomBatch, loss_of
from benchmarks.authors.released_code import Released
from benchmarks.authors.verl_arguments import FAR, core_algorithms, graded, scored

REPOSITORY, COMMIT = "PRIME-RL/TTRL", "3e2cc9376dc7486256f6021b37c4353d0e1abe2b"
VOTE = Released(REPOSITORY, COMMIT, "verl/verl/utils/reward_score/ttrl/ttt_metrics.py", ("test_time_train_metrics",))
LOSS = ("compute_grpo_outcome_advantage", "compute_policy_loss")
CODE = core_algorithms(REPOSITORY, COMMIT, *LOSS, folder="verl/verl", beside=(VOTE,))
ANSWERS = 3  # different ones of a prompt; −1 is none


def extract(_: str, solutions: Sequence[str], **__: Any) -> list[str]:
    """In place of the parser of answers: a response is its answer, none is left out."""
    return [each for each in solutions if each != "-1"]


def verify(_: str, solutions: Sequence[str], labels: Sequence[str], **__: Any) -> tuple[list[float], None]:
    """In place of the grader: equal answers are written alike, and no answer is wrong."""
    return [float(one == label != "-1") for one, label in zip(solutions, labels, strict=True)], None


def answers_of(batch: RandomBatch, ties: bool) -> Tensor:
    """Random answers, [B]; in each group one has the most votes, or, with ties, several may."""
    rng = torch.Generator().manual_seed(int(batch.logits[0, 0, 0].abs() * 1e6))
    found: list[Tensor] = []
    while len(found) < PROMPTS:
        drawn = torch.randint(-1, ANSWERS, (RESPONSES,), generator=rng)
        votes = torch.bincount(drawn[drawn >= 0], minlength=1)
        if int(votes.max()) > 0 and (ties or int((votes == votes.max()).sum()) == 1):
            found.append(drawn)
    return torch.cat(found)


def loss(code: SimpleNamespace, drawn: RandomBatch, *, ties: bool) -> Pair:
    """Votes for rewards, then GRPO's loss, of both."""
    answers = answers_of(drawn, ties)
    batch = replace(drawn, experience=replace(drawn.experience, answer=answers))
    groups = [[str(answer) for answer in group.tolist()] for group in answers.split(RESPONSES)]
    rewards = [reward for group in groups for reward in code.test_time_train_metrics(group, ["?"] * RESPONSES)[0]]
    voted = replace(batch, experience=replace(batch.experience, rewards=torch.tensor(rewards, dtype=torch.float64)))
    advantage, _ = code.compute_grpo_outcome_advantage(**graded(voted))
    settings = {"cliprange": 0.2, "clip_ratio_c": FAR, "loss_agg_mode": "seq-mean-token-mean"}
    theirs = code.compute_policy_loss(**scored(batch, advantage), **settings)[0]
    strength = "algorithm.advantage_shaping.relative_confidence.strength=0"
    return batch.outcome(theirs), loss_of("ettrl", batch, strength)


WHAT = "majority vote inside GRPO, without relative confidence and branching; answers as numbers for the grader's"
SCRIPT = "TTRL's scripts average over tokens, with a dual clip of 3: here both over responses, without one"
MORE = {"Counter": Counter, "auto_extract": extract, "auto_verify": verify}
COMPARISONS = [
    Comparison("ettrl", CODE, partial(loss, ties=False), f"{WHAT}; one answer has the most votes", MORE, SCRIPT),
    Comparison(
        "ettrl",
        CODE,
        partial(loss, ties=True),
        f"{WHAT}; ties among them",
        MORE,
        f"of tied answers the code rewards the first, ours none; {SCRIPT}",
    ),
]
