"""Trust-GRPO beside its authors' reward manager, estimator and loss."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import PROMPTS, RESPONSES, RandomBatch, loss_of
from benchmarks.authors.released_code import Released
from benchmarks.authors.stand_ins import VERL
from benchmarks.authors.verl_arguments import masks_of
from tvo_cli.types import Experience

REPOSITORY, COMMIT = "kxfan2002/SophiaVL-R1", "a8184947bf3ba215c511225a739789bdfce44930"
STEP, ASKED = 100, 0.2  # the rollout batch; the least reward of an answer whose thinking is judged
LESS = 0.3  # how well right answers are thought, beside wrong ones: otherwise every judgement would be trusted


class Words:
    """A tokenizer whose texts are a response's reward and the quality of its thinking."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    def decode(self, ids: Tensor, **_: object) -> str:
        """The text of the response whose every token is its row."""
        return self.texts[int(ids[0])]


@dataclass
class Sample:
    """A response of a group, as their manager walks through them."""

    batch: dict[str, Tensor]
    non_tensor_batch: dict[str, str]


@dataclass
class Group:
    """The responses of one prompt."""

    batch: dict[str, Tensor]

    def __iter__(self) -> Iterator[Sample]:
        """One response after another."""
        for row in range(len(self.batch["responses"])):
            columns = {name: column[row] for name, column in self.batch.items()}
            yield Sample(columns, {"ground_truth": "", "data_type": "text"})


def graded(batch: RandomBatch) -> Experience:
    """Rewards of right and wrong answers and the quality of their thinking, the first group's all right."""
    rng, experience = torch.Generator().manual_seed(len(batch.mask) + int(batch.mask.sum())), batch.experience
    pick = torch.randint(0, 2, experience.group.shape, generator=rng).bool()
    right, wrong = torch.where(pick, 1.0, 0.6), torch.where(pick, 0.3, 0.0)
    rewards = torch.where(experience.rewards > 0, right, wrong)
    rewards = torch.where(experience.group == 0, 1.0, rewards)
    quality = torch.rand(rewards.shape, generator=rng) * torch.where(rewards > 0.5, LESS, 1.0) * (rewards >= ASKED)
    return replace(experience, rewards=rewards, step=STEP, opinions={"judge": quality})


def shaped(code: SimpleNamespace, experience: Experience) -> Tensor:
    """Token rewards of the authors' manager, asked group by group, [B, T]."""
    pairs = zip(experience.rewards.tolist(), experience.opinions["judge"].tolist(), strict=True)
    manager = code.CustomRewardManager(Words([f"{reward!r} {quality!r}" for reward, quality in pairs]), 0, "math")
    rows = torch.arange(PROMPTS * RESPONSES)[:, None]
    responses = rows.expand_as(experience.mask)
    columns = {
        "prompts": rows,
        "responses": responses,
        "attention_mask": torch.cat([torch.ones_like(rows), experience.mask.long()], dim=1),
    }
    found = []
    for prompt in range(PROMPTS):
        chosen = experience.group == prompt
        group = Group({name: column[chosen] for name, column in columns.items()})
        found.append(manager(group, {"image": [None]}, STEP, RESPONSES)[0])
    return torch.cat(found)


def trust_grpo(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both add what can be trusted of the thinking's quality, normalise in groups, clip and take the mean."""
    own = replace(batch, experience=graded(batch))
    mask = own.mask.double()
    advantage, _ = code.compute_grpo_outcome_advantage(
        shaped(code, own.experience), mask, own.experience.group.tolist()
    )
    theirs = code.compute_policy_loss(own.experience.old_logp, own.logp, advantage, mask, 0.2)[0]
    judged = "algorithm.reward_shaping.trust_grpo.quality=judge"
    return own.outcome(theirs), loss_of("trust_grpo", own, judged)


def of_text(place: int) -> Any:
    """A judge that reads its number off the response."""
    return lambda *texts: float(next(text for text in texts if isinstance(text, str) and " " in text).split()[place])


NEEDS = VERL | {
    "math": math,
    "re": re,
    "math_compute_score": of_text(0),
    "get_process_reward": of_text(1),
}
MASKS = masks_of(REPOSITORY, COMMIT, names=("masked_mean",), seen_as="VF")
NAMES = ("compute_grpo_outcome_advantage", "compute_policy_loss")
LOSS = Released(REPOSITORY, COMMIT, "verl/trainer/core_algos.py", NAMES, (MASKS,))
COMPARISONS = [
    Comparison(
        "trust_grpo",
        Released(REPOSITORY, COMMIT, "verl/workers/reward/custom.py", ("CustomRewardManager",), (LOSS,)),
        trust_grpo,
        f"the whole recipe at batch {STEP}, with graded rewards and a judge of the thinking that both ask",
        NEEDS,
        "theirs asks its judge only of answers with R ≥ 0.2: ours is given 0 for the others. Its mean is over a "
        "micro-batch, the released run adds a KL and an entropy term, and its log-ratio is cut at 10 either way, "
        "ours at 20",
    )
]
