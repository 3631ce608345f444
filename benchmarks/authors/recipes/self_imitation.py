"""SPEAR's replay beside its authors' fork of verl-agent."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy
import torch
from torch import Tensor

from benchmarks.authors.comparison import Comparison, Pair
from benchmarks.authors.random_batch import (
    LENGTH,
    PROMPTS,
    RESPONSES,
    RandomBatch,
    advantage_of,
    algorithm_of,
    random_batch,
    tokens_of,
)
from benchmarks.authors.released_code import Released, ReleasedStatements
from benchmarks.authors.stand_ins import VERL, Settings, rewards_at_the_end
from benchmarks.authors.verl_arguments import core_algorithms
from tvo_cli import config
from tvo_cli.maths import groups
from tvo_cli.rollout.self_imitation import KeptResponses, SelfImitation
from tvo_cli.training.replayed_updates import objective_of_replay
from tvo_cli.types import Advantage, Experience

REPOSITORY, COMMIT = "TencentYoutuResearch/SPEAR", "7e8431513165640b4b1f78d09ebaae8807ee4f85"
BATCHES, TOLERANCE, SIZE, BASELINES, RISE = 4, 1, 8, 11, 100
SHARE = 0.2  # of the tokens that Clip-Cov leaves out: the released 0.02 of so few would be one
GOOD = 2  # responses of a group whose rewards lie above the median of the groups' means


class Columns(dict[str, Tensor]):
    """Columns of equal length, of which some rows can be taken."""

    def __getitem__(self, key: Any) -> Any:
        """A column by its name, or the rows of all that a mask names."""
        if isinstance(key, str):
            return super().__getitem__(key)
        return Columns({name: column[key] for name, column in self.items()})

    def size(self, _: int) -> int:
        """How many rows there are."""
        return len(next(iter(self.values())))


@dataclass
class Data:
    """A batch, as verl passes it about."""

    batch: Columns
    non_tensor_batch: dict[str, numpy.ndarray[Any, Any]]
    meta_info: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def concat(cls, parts: list[Data]) -> Data:
        """All rows of several."""
        named = parts[0].non_tensor_batch
        return cls(
            Columns({name: torch.cat([part.batch[name] for part in parts]) for name in parts[0].batch}),
            {name: numpy.concatenate([part.non_tensor_batch[name] for part in parts]) for name in named},
        )


def rolled_out(batch: RandomBatch) -> Iterator[Experience]:
    """Several rollout batches; rewards and their means are exact in float32, which the buffer of ours keeps."""
    rng = torch.Generator().manual_seed(int(1e6 * float(batch.entropy.detach().sum())))
    place = torch.arange(PROMPTS * RESPONSES) % RESPONSES
    for step in range(BATCHES):
        experience = random_batch(int(torch.randint(10**6, (1,), generator=rng))).experience
        high = torch.randint(43, 86, place.shape, generator=rng)
        low = -torch.randint(0, 11, place.shape, generator=rng)
        rewards = torch.where(place < GOOD, high, low) * RESPONSES / 64
        yield replace(experience, rewards=rewards, step=step)


def theirs_of(code: SimpleNamespace, batches: list[Experience], seed: int) -> Columns:
    """What the authors' buffer draws after these batches."""
    buffer = code.TrajectoryBufferBatch(None, SIZE, BASELINES, TOLERANCE, -1, "grpo", False)
    for experience in batches:
        columns = {
            "advantages": advantage_of("spear", experience).values,
            "response_mask": experience.mask.double(),
            "old_log_probs": experience.old_logp,
        }
        rows = experience.group.numpy()
        data = Data(Columns(columns), {"uid": rows, "traj_uid": numpy.arange(len(rows))})
        buffer.remove_old()
        buffer.update_batch([], data, rewards_at_the_end(experience), {}, RESPONSES, experience.step + 1)
    assert buffer.is_full_capacity()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        drawn: Columns = buffer.get_buffer().batch
    return drawn


def ours_of(imitation: SelfImitation, batches: list[Experience], seed: int) -> tuple[KeptResponses, Tensor]:
    """What the recipe's buffer draws after these batches."""
    for experience in batches:
        nothing = torch.zeros_like(experience.group[:, None])
        columns = (nothing, nothing > 0, experience.mask.long(), experience.mask, experience.old_logp)
        kept = KeptResponses(*columns, experience.rewards, torch.full_like(experience.group, experience.step))
        means = groups.group_mean(experience.rewards, experience.group)
        imitation.end_batch(kept, advantage_of("spear", experience).values.sum(1), means, drawn=False)
    drawn = imitation.draw(torch.Generator().manual_seed(seed))
    assert drawn is not None
    return drawn


def spear(code: SimpleNamespace, batch: RandomBatch) -> Pair:
    """Both keep good responses of several batches, draw some, and imitate them by a rising Clip-Cov loss."""
    batches, seed = list(rolled_out(batch)), 7
    drawn = theirs_of(code, batches, seed)
    rows = slice(0, len(drawn["advantages"]))
    start = (drawn["old_log_probs"] + (batch.logp - batch.experience.old_logp)[rows]).detach().clamp(max=0.0)
    logp = start.requires_grad_()
    loss = theirs_loss(code, drawn, logp, seed)

    settings = (f"size={SIZE}", f"tolerance={TOLERANCE}", f"baselines={BASELINES}", f"weight.share={SHARE}")
    chosen = [f"algorithm.self_imitation.{each}" for each in settings]
    chosen += [f"algorithm.objective.reduce.length={LENGTH / SIZE}"]
    algorithm = algorithm_of("spear", *chosen)
    imitation = config.build(algorithm.self_imitation)
    kept, advantage = ours_of(imitation, batches, seed)
    objective = objective_of_replay(config.build(algorithm.objective), imitation, BATCHES)
    alone = torch.arange(len(kept))
    experience = Experience(kept.rewards, kept.mask, alone, torch.zeros_like(alone), kept.old_logp)
    own = RandomBatch(experience, logp, batch.entropy[rows], batch.logits[rows], batch.advantage[rows])
    tokens = tokens_of(own, Advantage(advantage[:, None] * kept.mask, 1.0), objective.reduce)
    return own.outcome(loss), own.outcome(objective(replace(tokens, seed=seed)).total)


def theirs_loss(code: SimpleNamespace, drawn: Columns, logp: Tensor, seed: int) -> Tensor:
    """The authors' Clip-Cov loss of what was drawn, times its weight at that step."""
    of_replay = Settings(clip_cov_ratio_replay=SHARE, clip_cov_lb_replay=2.0, clip_cov_ub_replay=60.0)
    clips = Settings(clip_ratio=0.2, clip_ratio_low=0.2, clip_ratio_high=0.28, policy_loss=of_replay)
    columns = (drawn["old_log_probs"], logp, drawn["advantages"], drawn["response_mask"])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        loss = code.compute_policy_loss_clip_cov(*columns, "seq-mean-token-sum-norm", clips, is_replay=True)[0]
    actor = SimpleNamespace(config=Settings(max_replay_loss_steps=RISE, replay_loss_coef=1.0))
    found: Tensor = code.run(self=actor, global_steps=BATCHES + 1, loss=loss).loss
    return found


FOLDER = "verl-agent/verl"
LOSS = ("compute_policy_loss_clip_cov", "compute_grpo_outcome_advantage")
CORE = core_algorithms(REPOSITORY, COMMIT, *LOSS, folder=FOLDER)
BUFFER = Released(
    REPOSITORY, COMMIT, f"{FOLDER}/trainer/ppo/ray_trainer_hybrid.py", ("TrajectoryBufferBatch",), (CORE,)
)
ACTOR = f"{FOLDER}/workers/actor/dp_actor.py"
COMPARISONS = [
    Comparison(
        "spear",
        ReleasedStatements(
            *(REPOSITORY, COMMIT, ACTOR, "DataParallelPPOActor.update_policy", "max_replay_loss_steps", "loss"),
            (BUFFER,),
        ),
        spear,
        f"its replay: the buffer over {BATCHES} batches, the draw (by one random order), the new advantage, the "
        f"loss of Clip-Cov at a share of {SHARE:g}, and its weight",
        VERL | {"AdvantageEstimator": SimpleNamespace(GRPO="grpo"), "DataProto": Data, "deepcopy": deepcopy},
        "the released loss is a sum over responses, ours a mean: ours is given a shorter length. Kept responses below "
        "the median, at which the released draw ends in an error, do not occur",
    )
]
