"""What verl's functions, and those of its forks, are called with: stand-ins for its configuration and its batch."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from benchmarks.authors.random_batch import Outcome, RandomBatch, algorithm_of
from benchmarks.authors.released_code import Released
from benchmarks.authors.stand_ins import VERL, Settings, rewards_at_the_end
from tvo_cli import config

FAR = 1e6  # a bound that no ratio reaches
OF_THE_LENGTH = 1e-8  # what verl adds to the length that a response's loss is divided by
OF_MASKS = ("masked_sum", "masked_mean", "masked_var", "masked_whiten", "clip_by_value")


def actor(low: float, high: float, *, length: float | None = None, **more: Any) -> Settings:
    """Settings of a policy loss: its clip, and the one length by which its sum is divided."""
    scale = {} if length is None else {"loss_scale_factor": length}
    return Settings(clip_ratio=low, clip_ratio_low=low, clip_ratio_high=high, global_batch_info=scale, **more)


NEEDS: dict[str, Any] = VERL | {"ActorConfig": Settings, "AlgoConfig": str}


def masks_of(
    repository: str, commit: str, folder: str = "verl", names: tuple[str, ...] = OF_MASKS, seen_as: str = "verl_F"
) -> Released:
    """A fork's own masked sums and means, under the name by which its other files know them."""
    return Released(repository, commit, f"{folder}/utils/torch_functional.py", names, seen_as=seen_as)


def core_algorithms(
    repository: str, commit: str, *names: str, folder: str = "verl", beside: tuple[Released, ...] = ()
) -> Released:
    """Functions of a fork's core_algos.py, with the fork's own masked means and reductions."""
    path = f"{folder}/trainer/ppo/core_algos.py"
    masks = masks_of(repository, commit, folder)
    return Released(repository, commit, path, ("agg_loss", *names), (masks, *beside), needs=NEEDS)


def on_tokens(batch: RandomBatch) -> Tensor:
    """The response mask as the numbers 1 and 0."""
    return batch.mask.to(batch.logp.dtype)


def graded(batch: RandomBatch) -> dict[str, Any]:
    """What verl's advantages of groups are estimated from."""
    return {
        "token_level_rewards": rewards_at_the_end(batch.experience),
        "response_mask": on_tokens(batch),
        "index": batch.experience.group.tolist(),
    }


def scored(batch: RandomBatch, advantages: Tensor) -> dict[str, Tensor]:
    """What verl's policy losses are computed from."""
    return {
        "old_log_prob": batch.experience.old_logp,
        "log_prob": batch.logp,
        "advantages": advantages,
        "response_mask": on_tokens(batch),
    }


def share_with_length_of_verl(recipe: str, batch: RandomBatch) -> Tensor:
    """The recipe's own share of each token in the loss, with what verl adds to the length of a response."""
    mask = on_tokens(batch)
    length = mask.sum(1, keepdim=True)
    share: Tensor = config.build(algorithm_of(recipe).objective).reduce(mask)
    return share * length / (length + OF_THE_LENGTH)


def by_gradient(batch: RandomBatch, ours: Outcome) -> Outcome:
    """Our gradient with the loss of which it is the gradient in a loss that is linear in log π, as the released is."""
    return Outcome((ours.gradient * batch.logp.detach()).sum(), ours.gradient)
