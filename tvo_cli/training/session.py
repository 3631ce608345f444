"""The session: everything a run carries from step to step, which is what a checkpoint holds."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tvo_cli.checkpoint import optimizer_state
from tvo_cli.checkpoint.record_serialization import pack_record, unpack_record
from tvo_cli.checkpoint.rows_to_load import RowsToLoad
from tvo_cli.checkpoint.sharded_parameters import held_tensors, whole_tensors
from tvo_cli.checkpoint.tensor_fingerprint import fingerprint_of_tensors
from tvo_cli.checkpoint.tensor_slice import HeldParts, HeldTensor, held_copies_on_cpu, whole_values
from tvo_cli.data import ProblemCursor
from tvo_cli.evaluation.test_sets import TestSet
from tvo_cli.memory.planned_run import PlannedRun
from tvo_cli.model.model_card import ModelCard
from tvo_cli.parallel.ranks import Ranks
from tvo_cli.reward import Grader, Rewards
from tvo_cli.reward.reward_functions import RewardFunctions
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.sampler import Sampler
from tvo_cli.stability import CollapseWatch, GradientNoiseSmoother
from tvo_cli.tracking import Tracker
from tvo_cli.training import rng
from tvo_cli.training.counters import RunCounters
from tvo_cli.training.readings_state import ReadingsState
from tvo_cli.training.refusal_state import RefusalState
from tvo_cli.training.reward_terms.reward_weighting import FixedWeighting, RewardWeighting
from tvo_cli.training.run_settings import InnerLoopSettings, RecorderSettings, RunSettings
from tvo_cli.training.running_entropy_law import RunningEntropyLaw
from tvo_cli.training.step_state import StateSnapshot, StepInProgress
from tvo_cli.training.update.learner import Learner
from tvo_cli.training.update.next_token_loss import NextTokenLoss

WEIGHTING_BEFORE = "weighting_before_batch"  # in a snapshot, where reward weights move
KEPT = "kept_responses"  # the part of a checkpoint that self-imitation carries
IN_FLIGHT = {
    "work": StepInProgress | None,
    "snapshot": StateSnapshot | None,
    "refusal": RefusalState | None,
    "readings": ReadingsState | None,
}


@dataclass(slots=True)
class Session:
    """A run: its fixed parts, and the state that moves."""

    seed: int
    folder: Path
    learner: Learner
    cursor: ProblemCursor
    prompt: Mapping[str, Any]
    sampling: SamplingParams
    passes: InnerLoopSettings
    grader: Grader
    rewards: Rewards
    test_sets: tuple[TestSet, ...]
    watch: CollapseWatch
    smoother: GradientNoiseSmoother
    tracker: Tracker
    limits: RunSettings
    sampler: Sampler
    plan: PlannedRun  # copies of the model that are kept, and what bounds the memory of its phases
    functions: RewardFunctions = field(default_factory=lambda: RewardFunctions([], 0))  # of the user's own
    weighting: RewardWeighting = field(default_factory=FixedWeighting)
    next_token: NextTokenLoss | None = None  # of demonstrations that are learnt beside the responses
    recorder: RecorderSettings = field(default_factory=RecorderSettings)
    neutral_ids: tuple[int, ...] = ()
    card: ModelCard | None = None  # of the policies that are saved
    origin: Mapping[str, Any] = field(default_factory=dict)  # config, code and start model that made this run
    counters: RunCounters = field(default_factory=RunCounters)
    previous: dict[str, float] = field(default_factory=dict)  # readings that the next step compares with
    law: RunningEntropyLaw = field(default_factory=RunningEntropyLaw)
    work: StepInProgress | None = None  # the rollout batch under way; None between batches
    snapshot: StateSnapshot | None = None  # the last state that a healthy step has confirmed
    refusal: RefusalState | None = None  # where updates may be refused (stability.refuse)
    readings: ReadingsState | None = None  # where optional readings carry something (stability.readings)
    resumable: bool = True  # False: restored without what only updates need, so that no checkpoint may claim to have it

    @property
    def ranks(self) -> Ranks:
        """The processes that this run is shared out among."""
        return self.learner.runtime.ranks

    def tensors(self) -> dict[str, Mapping[str, HeldTensor]]:
        """All tensors besides the policy's weights, by part."""
        in_flight = {part: pack_record(getattr(self, part))[0] for part in IN_FLIGHT}
        return self._learning() | {"streams": rng.rng_state()} | {part: one for part, one in in_flight.items() if one}

    def state(self) -> dict[str, Any]:
        """All that is not a tensor."""
        return self.moving_state() | {part: pack_record(getattr(self, part))[1] for part in IN_FLIGHT}

    def restore(self, policy: Mapping[str, HeldTensor], parts: HeldParts, state: Any) -> None:
        """Put `tensors` and `state`, and the policy's weights, back."""
        self.restore_learner(policy, parts, state)
        self._restore_moving(state)
        rng.set_rng_state({name: whole_values(held, name) for name, held in parts["streams"].items()})
        device = self.learner.runtime.device
        for part, kind in IN_FLIGHT.items():
            setattr(self, part, unpack_record(kind, state.get(part), parts.get(part, {}), device))

    def restore_policy(self, policy: Mapping[str, HeldTensor], state: Any) -> None:
        """Put the policy's weights and `state` back, for a run that updates nothing any more."""
        self.learner.policy.restore(policy)
        self.learner.algorithm.load_state_dict(state["algorithm"])
        self._restore_moving(state)
        self.resumable = False

    def _restore_moving(self, state: Any) -> None:
        """Put back where the run is."""
        self.counters = RunCounters(**state["counters"])
        self.previous = dict(state["previous"])
        self.cursor.load_state_dict(state["cursor"])
        self.watch.load_state_dict(state["watch"])
        self.smoother.load_state_dict(state["smoother"])
        self.law.load_state_dict(state.get("law", {}))
        self.weighting.load_state_dict(state.get("weighting", {}))
        self.grader.counts.clear()
        self.grader.counts.update(state["grader"])

    def restore_learner(self, policy: Mapping[str, HeldTensor], parts: HeldParts, state: Any) -> None:
        """Put back only what learns: weights, optimisers, the algorithm's own state."""
        learner = self.learner
        learner.policy.restore(policy)
        optimizer_state.restore_optimizer(learner.optimizer, parts["optimizer"], learner.policy.network)
        if (critic := learner.critic) is not None:
            critic.critic.restore(parts["critic"])
            optimizer_state.restore_optimizer(critic.optimizer, parts["critic_optimizer"], critic.critic)
        learner.algorithm.load_state_dict(state["algorithm"])
        if learner.algorithm.self_imitation is not None:
            held = parts[KEPT].items()
            learner.algorithm.self_imitation.load_tensors({name: whole_values(one, name) for name, one in held})

    def take_snapshot(self, weighting: Mapping[str, Any]) -> StateSnapshot:
        """A copy in memory of what learns and of where the run is, between two batches.

        weighting: the reward weights' state before the batch to come moved them: what a rollback returns to.
        """
        with torch.no_grad():
            parts: HeldParts = {"policy": self.weights(), **self._learning(), "streams": rng.rng_state()}
            copies = {part: held_copies_on_cpu(named) for part, named in parts.items()}
        before = {WEIGHTING_BEFORE: dict(weighting)} if weighting else {}
        return StateSnapshot(copies, copy.deepcopy(self.moving_state() | before))

    def weights(self) -> Mapping[str, HeldTensor]:
        """The policy's, as far as they train and are here."""
        return held_tensors(self.learner.policy.trained_tensors())

    def fingerprint(self, weights: Mapping[str, HeldTensor]) -> str:
        """That of the policy's weights now or in a snapshot, whole; every rank takes part."""
        return fingerprint_of_tensors(whole_tensors(weights, self.learner.policy.trained_tensors()))

    def held_rows(self) -> RowsToLoad:
        """Which rows of a checkpoint's tensors belong to this rank."""
        policy, critic = self.learner.policy.trained_tensors(), self.learner.critic
        parts = {"policy": policy, "optimizer": policy}
        if critic is not None:
            parts |= dict.fromkeys(("critic", "critic_optimizer"), critic.critic.trained_tensors())
        return RowsToLoad.of(parts)

    def _learning(self) -> dict[str, Mapping[str, HeldTensor]]:
        """What learns besides the policy."""
        learner = self.learner
        parts: dict[str, Mapping[str, HeldTensor]] = {
            "optimizer": optimizer_state.optimizer_tensors(learner.optimizer, learner.policy.network)
        }
        if learner.algorithm.self_imitation is not None:
            parts[KEPT] = learner.algorithm.self_imitation.tensors()
        if learner.critic is not None:
            critic = learner.critic.critic
            parts["critic"] = held_tensors(critic.trained_tensors())
            parts["critic_optimizer"] = optimizer_state.optimizer_tensors(learner.critic.optimizer, critic)
        return parts

    def moving_state(self) -> dict[str, Any]:
        """Where the run is, besides tensors and what is in flight."""
        return {
            "seed": self.seed,
            "origin": dict(self.origin),
            "counters": {name: getattr(self.counters, name) for name in RunCounters.__slots__},
            "previous": dict(self.previous),
            "algorithm": self.learner.algorithm.state_dict(),
            "cursor": self.cursor.state_dict(),
            "watch": self.watch.state_dict(),
            "smoother": self.smoother.state_dict(),
            "law": self.law.state_dict(),
            "weighting": self.weighting.state_dict(),
            "grader": dict(self.grader.counts),
        }
