"""DAPO beside verl: the overlong punishment inside the reward, the advantage and the clip-higher loss."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import LENGTH, RandomBatch, loss_of
from benchmarks.authors.recipes.verl import COMMIT, REPOSITORY
from benchmarks.authors.released_code import Released
from benchmarks.authors.verl_arguments import actor, core_algorithms, graded, scored
from tvo_cli import config
from tvo_cli.reward.reward_terms import Rewards
from tvo_cli.types import Verdict

BUFFER = 4  # tokens, of the 9 that a response may have: a length at which float32, which verl scores in, is exact
DUAL = 1.3  # the bound of the dual clip: at the released 10 it never acts on so small a drift
WEIGHT = 0.5


class Responses(list[SimpleNamespace]):
    """Stand-in for verl's batch: responses one by one, and all of them."""

    def __init__(self, batch: RandomBatch) -> None:
        self.batch = {"responses": batch.mask}
        one = torch.ones(1, dtype=torch.bool)
        super().__init__(
            SimpleNamespace(
                batch={"prompts": one, "responses": row, "attention_mask": torch.cat([one, row])},
                non_tensor_batch={"reward_model": {"ground_truth": float(right)}, "source": ""},
            )
            for row, right in zip(batch.mask, batch.experience.rewards, strict=True)
        )


def their_rewards(code: SimpleNamespace, batch: RandomBatch) -> Tensor:
    """verl's scores of the batch, each on its response's last token."""
    buffer = SimpleNamespace(enable=True, len=BUFFER, penalty_factor=WEIGHT, log=False)
    manager = SimpleNamespace(
        _extract_reward_from_rm_scores=lambda *_: None,
        tokenizer=SimpleNamespace(decode=lambda *_, **__: "", eos_token="."),
        compute_score=lambda *, ground_truth, **_: ground_truth,
        reward_fn_key="source",
        num_examine=0,
        max_resp_len=LENGTH,
        overlong_buffer_cfg=buffer,
    )
    found: Tensor = code.manager.__call__(manager, Responses(batch))
    return found.to(batch.logp.dtype)


@cache
def settings_of_rewards() -> Any:
    """The recipe's, for responses of so few tokens."""
    shares = (f"reward.length.buffer={BUFFER / LENGTH}", f"reward.length.weight={WEIGHT}")
    return config.compose(["algorithm=dapo", "logger=none", f"rollout.max_tokens={LENGTH}", *shares]).reward


def our_rewards(batch: RandomBatch) -> Tensor:
    """The recipe's rewards of the batch."""
    verdicts = [Verdict(bool(right), None, "") for right in batch.experience.rewards]
    lengths = batch.mask.sum(1).tolist()
    scores = Rewards(settings_of_rewards()).score(verdicts, [""] * len(lengths), lengths, [True] * len(lengths))
    return batch.logp.new_tensor(scores)


def dapo(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both punish long responses, normalise in the group, and clip at 0.2 and 0.28 over all tokens."""
    arguments: dict[str, Any] = graded(batch) | {"token_level_rewards": their_rewards(code, batch)}
    advantages, _ = code.compute_grpo_outcome_advantage(**arguments)
    settings = actor(0.2, 0.28, clip_ratio_c=DUAL)
    theirs = code.compute_policy_loss_vanilla(**scored(batch, advantages), config=settings)[0]
    punished = replace(batch, experience=replace(batch.experience, rewards=our_rewards(batch)))
    return batch.outcome(theirs), loss_of("dapo", punished, f"algorithm.objective.surrogate.dual={DUAL}")


MANAGER = Released(
    REPOSITORY,
    COMMIT,
    "verl/workers/reward_manager/dapo.py",
    ("DAPORewardManager.__call__",),
    seen_as="manager",
    needs={"defaultdict": defaultdict},
)
CORE = core_algorithms(REPOSITORY, COMMIT, "compute_grpo_outcome_advantage", "compute_policy_loss_vanilla")
COMPARISONS = [
    Comparison(
        "dapo",
        CORE._replace(beside=(*CORE.beside, MANAGER)),
        dapo,
        f"reward, advantage and loss, at a buffer of {BUFFER} of {LENGTH} tokens and a dual clip of {DUAL:g}",
        differs=f"scores of 1 and 0 with a punishment of at most {WEIGHT:g}, as the recipe's: the released script has "
        "1, −1 and 1, whose z-scores are the same but for ε",
    )
]
