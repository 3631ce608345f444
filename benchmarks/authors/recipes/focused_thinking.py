"""TW-GRPO beside its authors' trainer."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import torch
from torch import Tensor

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import PROMPTS, RESPONSES, RandomBatch, loss_of
from benchmarks.authors.released_code import Released, ReleasedStatements
from tvo_cli.model.group_divergence import divergence_from_mean_log

REPOSITORY, COMMIT = "longmalongma/TW-GRPO", "aa529ffca7ae408e4f3df7ba71cb0dc58544c6b7"
FILE = "src/open_r1/trainer/grpo_trainer.py"
END, WORD = 0, 1  # token ids: where a response ends, anywhere else
LARGEST, CLIP, EPSILON = 1.7, 0.2, 1e-4  # ε beside the group's spread as released; the recipe has 1e-6


def tw_grpo(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both normalise rewards, clip, weigh positions by how far a group is apart, and take the mean over tokens."""
    log_pi = batch.logits.log_softmax(-1)
    apart = torch.where(batch.mask[..., None], log_pi, -math.log(log_pi.shape[-1]))
    divergence = torch.stack([divergence_from_mean_log(group) for group in apart.chunk(PROMPTS)])
    own = replace(batch, experience=replace(batch.experience, group_divergence=divergence))
    ours = loss_of("tw_grpo", own, f"algorithm.estimator.epsilon={EPSILON}")
    return batch.outcome(theirs_loss(code, batch, log_pi)), ours


def theirs_loss(code: SimpleNamespace, batch: RandomBatch, log_pi: Tensor) -> Tensor:
    """The authors' loss from the rewards on, of responses that end where the mask does."""
    ids = torch.full(batch.mask.shape, WORD)
    ids[torch.arange(len(ids)), batch.mask.sum(1) - 1] = END
    trainer = SimpleNamespace(
        num_generations=RESPONSES,
        epsilon_low=CLIP,
        epsilon_high=CLIP,
        beta=0.0,
        alpha=LARGEST,
        loss_type="tw_grpo",
        processing_class=SimpleNamespace(eos_token_id=END),
    )
    found: Tensor = code.run(
        self=trainer,
        rewards=batch.experience.rewards,
        per_token_logps=batch.logp,
        old_per_token_logps=batch.experience.old_logp,
        per_logps=log_pi,
        per_token_kl=torch.zeros_like(batch.logp),
        completion_ids=ids,
        device="cpu",
    ).loss
    return found


WEIGHTS = Released(REPOSITORY, COMMIT, FILE, ("compute_token_importance_kl_logs_uniform",))
COMPARISONS = [
    Comparison(
        "tw_grpo",
        ReleasedStatements(
            *(REPOSITORY, COMMIT, FILE, "Qwen2VLGRPOTrainer.compute_loss", "mean_grouped_rewards", "loss", (WEIGHTS,))
        ),
        tw_grpo,
        f"the whole recipe at the released ε of {EPSILON:g} beside the group's spread, off-policy, and the divergence",
        {"math": math},
        "in the released trainer the weights are of the policy under training and the gradient flows through them; "
        "here they are numbers. Its ratio is always 1, its upper clip 0.28",
    )
]
