"""The rollout batch: graded groups, what was sampled for them, the batch that an update uses; batches joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tvo_cli.reward.reward_functions import FunctionRewards
from tvo_cli.rollout.rollout_slices import join_rollouts, select_rows
from tvo_cli.types import Advantage, Experience, Problem, Rollout, Verdict

Components = Mapping[str, FunctionRewards]  # what each of reward.functions says of a batch


@dataclass(frozen=True, slots=True)
class GradedBatch:
    """Problems, responses to them and what the grader says of those."""

    problems: tuple[Problem, ...]  # P of them
    rollout: Rollout
    verdicts: tuple[Verdict, ...]  # B
    rewards: tuple[float, ...]  # B
    components: Mapping[str, FunctionRewards] = field(default_factory=dict)  # of reward.functions, B each

    def of_rows(self, rows: Sequence[int], rollout: Rollout) -> GradedBatch:
        """Some responses, which are those of `rollout`; how many calls failed is known of the whole batch alone."""
        said = {name: FunctionRewards(tuple(one.values[row] for row in rows)) for name, one in self.components.items()}
        verdicts = tuple(self.verdicts[row] for row in rows)
        return GradedBatch(self.problems, rollout, verdicts, tuple(self.rewards[row] for row in rows), said)

    def from_prompts(self) -> GradedBatch:
        """The responses that were sampled from their prompts: a branch shows what follows a chosen prefix instead."""
        if self.rollout.prefix is None:
            return self
        rows = (self.rollout.prefix == 0).nonzero().flatten()
        return self.of_rows(rows.tolist(), select_rows(self.rollout, rows))


def join_graded_batches(parts: Sequence[GradedBatch], pad_id: int) -> GradedBatch:
    """Graded batches as one: the groups of all draws or ranks, in order, padded to one width."""
    if len(parts) == 1:
        return parts[0]
    return GradedBatch(
        problems=tuple(problem for part in parts for problem in part.problems),
        rollout=join_rollouts([part.rollout for part in parts], pad_id),
        verdicts=tuple(verdict for part in parts for verdict in part.verdicts),
        rewards=tuple(reward for part in parts for reward in part.rewards),
        components=join_function_rewards([part.components for part in parts]),
    )


@dataclass(frozen=True, slots=True)
class SampledBatch:
    """What the sampling rule chose to learn from, and all that was drawn for it."""

    chosen: GradedBatch
    draws: tuple[GradedBatch, ...]
    fit: int  # groups of all draws that the rule found fit; more than were chosen, or fewer
    branch: GradedBatch | None = None  # of some of the prompts once more, otherwise sampled

    @property
    def responses(self) -> int:
        """Sampled in all draws."""
        return sum(len(graded.verdicts) for graded in self._sampled)

    @property
    def tokens(self) -> int:
        """Response tokens that were sampled, in all draws."""
        return sum(int(graded.rollout.sampled.sum()) for graded in self._sampled)

    @property
    def _sampled(self) -> tuple[GradedBatch, ...]:
        return (*self.draws, *(() if self.branch is None else (self.branch,)))


@dataclass(frozen=True, slots=True)
class Demonstrated:
    """N demonstrations that are learnt beside a batch, right-padded, and how strongly (next_token_loss.py)."""

    ids: Tensor  # int64 [N, L]
    lengths: Tensor  # int64 [N]
    learned: Tensor  # bool [N, L]
    weight: float


@dataclass(frozen=True, slots=True)
class RolloutBatch:
    """Everything an update may use; no gradients anywhere."""

    problems: tuple[Problem, ...]  # P of them
    rollout: Rollout
    verdicts: tuple[Verdict, ...]  # B
    experience: Experience
    advantage: Advantage
    drawn: SampledBatch
    importance: Tensor | None = None  # float32 [B, T], truncated sampler correction; None when they agree
    demonstrated: Demonstrated | None = None  # what is learnt beside the responses

    @property
    def chosen_rows(self) -> slice:
        """The rows of `drawn.chosen`; those of groups that were sampled beside it come after."""
        return slice(len(self.drawn.chosen.verdicts))

    @property
    def own_rows(self) -> Tensor:
        """The rows that the policy sampled as the run asks, from prompts and at its temperature, int64 [k]."""
        extra = self.experience.extra
        return torch.arange(len(self.verdicts)) if extra is None else (~extra).nonzero().flatten()

    @property
    def own_tokens(self) -> Tensor:
        """The tokens of those rows, bool [B, T]: what a reading of the policy may be taken from."""
        mask, extra = self.experience.mask, self.experience.extra
        return mask if extra is None else mask & ~extra[:, None]

    @property
    def sampled_logp(self) -> Tensor:
        """log π of the policy that sampled, [B, T], where an inner block's is the one that learns."""
        return self.rollout.logp if self.experience.internal else self.experience.old_logp

    @property
    def counted(self) -> Tensor:
        """The tokens that the loss counts, bool [B, T]."""
        mask, counted = self.experience.mask, self.advantage.counted
        return mask if counted is None else mask & counted

    def readings(self) -> dict[str, Tensor]:
        """What was computed of each response [B, 1] or token [B, T], each after what it follows from."""
        experience = self.experience
        named = {
            "reward": experience.rewards[:, None],
            "log-prob": experience.old_logp,
            "reference log-prob": experience.ref_logp,
            "value": experience.values,
            "importance": self.importance,
            "advantage": self.advantage.values,
            "return": self.advantage.returns,
        }
        return {name: values for name, values in named.items() if values is not None}


def join_function_rewards(parts: Sequence[Components]) -> dict[str, FunctionRewards]:
    """What the user's reward functions say of several batches, one behind the other."""
    return {
        name: FunctionRewards(
            tuple(value for part in parts for value in part[name].values), sum(part[name].failed for part in parts)
        )
        for name in parts[0]
    }
