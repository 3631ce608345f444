"""Everything a run carries from step to step, and nothing else: what a checkpoint holds is this."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tvo_cli.checkpoint import serialize, store
from tvo_cli.data import Cursor
from tvo_cli.evaluation import HeldOut
from tvo_cli.reward import Grader, Rewards
from tvo_cli.rollout import Sampling
from tvo_cli.stability import Smoother, Watch
from tvo_cli.tracking import Tracker
from tvo_cli.training import rng
from tvo_cli.training.entropy_law import EntropyLaw
from tvo_cli.training.inner_loop import InnerLoop
from tvo_cli.training.learner import Learner
from tvo_cli.training.step_state import Snapshot, Work

IN_FLIGHT = {"work": Work | None, "snapshot": Snapshot | None}


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, how often, how many: the plain numbers of a run."""

    steps: int
    prompts: int
    evaluate_every: int
    evaluate_at_start: bool
    checkpoint_every: int
    keep: int
    keep_every: int
    keep_best: bool
    nonfinite_limit: int
    snapshot_every: int
    viscosity_factor: float  # factor on the viscosity after a rollback
    old_logp: str
    importance_cap: float


@dataclass(frozen=True, slots=True)
class Recorder:
    """What the flight recorder keeps: training/flight_recorder.py."""

    steps: tuple[int, ...] = ()
    on_collapse: bool = False
    on_nonfinite: bool = False
    keep: int = 2


@dataclass(slots=True)
class Counters:
    """Where the run is."""

    step: int = 0  # rollout batches done
    rollouts: int = 0
    tokens: int = 0
    skipped: int = 0
    skipped_in_a_row: int = 0
    rollbacks: int = 0
    best_accuracy: float = -1.0
    best_step: int = -1
    score: float | None = None  # pass@1 of this step's evaluation; where none is due, fresh accuracy
    poisoned: bool = False  # whether something of the last batch was not finite


@dataclass(slots=True)
class Session:
    """A run: its fixed parts, and the state that moves."""

    seed: int
    folder: Path
    learner: Learner
    cursor: Cursor
    prompt: Mapping[str, Any]
    sampling: Sampling
    passes: InnerLoop
    grader: Grader
    rewards: Rewards
    heldout: HeldOut | None
    watch: Watch
    smoother: Smoother
    tracker: Tracker
    limits: Limits
    recorder: Recorder = field(default_factory=Recorder)
    neutral_ids: tuple[int, ...] = ()
    origin: Mapping[str, Any] = field(default_factory=dict)  # config, code and start model that made this run
    counters: Counters = field(default_factory=Counters)
    previous: dict[str, float] = field(default_factory=dict)  # readings that the next step compares with
    law: EntropyLaw = field(default_factory=EntropyLaw)
    work: Work | None = None  # the rollout batch under way; None between batches
    snapshot: Snapshot | None = None  # the last state that a healthy step has confirmed

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """All tensors besides the policy's weights, by part."""
        in_flight = {part: serialize.pack(getattr(self, part))[0] for part in IN_FLIGHT}
        return self._learning() | {"streams": rng.state()} | {part: one for part, one in in_flight.items() if one}

    def state(self) -> dict[str, Any]:
        """All that is not a tensor."""
        return self._moving() | {part: serialize.pack(getattr(self, part))[1] for part in IN_FLIGHT}

    def restore(self, policy: Mapping[str, Tensor], parts: Mapping[str, Mapping[str, Tensor]], state: Any) -> None:
        """Put `tensors` and `state`, and the policy's weights, back."""
        self.restore_learner(policy, parts, state)
        self.counters = Counters(**state["counters"])
        self.previous = dict(state["previous"])
        self.cursor.load_state_dict(state["cursor"])
        self.watch.load_state_dict(state["watch"])
        self.smoother.load_state_dict(state["smoother"])
        self.law.load_state_dict(state.get("law", {}))
        self.grader.counts.clear()
        self.grader.counts.update(state["grader"])
        rng.restore(dict(parts["streams"]))
        for part, kind in IN_FLIGHT.items():
            setattr(self, part, serialize.unpack(kind, state[part], parts.get(part, {}), self.learner.runtime.device))

    def restore_learner(
        self, policy: Mapping[str, Tensor], parts: Mapping[str, Mapping[str, Tensor]], state: Any
    ) -> None:
        """Put back only what learns: weights, optimisers, the algorithm's own state."""
        learner = self.learner
        learner.policy.network.load_state_dict(dict(policy), strict=True)
        store.restore_optimizer(learner.optimizer, parts["optimizer"])
        if learner.critic is not None:
            learner.critic.critic.load_state_dict(dict(parts["critic"]))
            store.restore_optimizer(learner.critic.optimizer, parts["critic_optimizer"])
        learner.algorithm.load_state_dict(state["algorithm"])

    def take_snapshot(self) -> Snapshot:
        """A copy in memory of what learns and of where the run is, between two batches."""
        with torch.no_grad():
            parts = {"policy": self.weights(), **self._learning(), "streams": rng.state()}
            copies = {part: _to_cpu(named) for part, named in parts.items()}
        return Snapshot(copies, copy.deepcopy(self._moving()))

    def weights(self) -> Mapping[str, Tensor]:
        """The policy's."""
        found: Mapping[str, Tensor] = self.learner.policy.network.state_dict()
        return found

    def _learning(self) -> dict[str, dict[str, Tensor]]:
        """What learns besides the policy."""
        parts = {"optimizer": store.optimizer_tensors(self.learner.optimizer)}
        if self.learner.critic is not None:
            parts["critic"] = dict(self.learner.critic.critic.state_dict())
            parts["critic_optimizer"] = store.optimizer_tensors(self.learner.critic.optimizer)
        return parts

    def _moving(self) -> dict[str, Any]:
        """Where the run is, besides tensors and what is in flight."""
        return {
            "seed": self.seed,
            "origin": dict(self.origin),
            "counters": {name: getattr(self.counters, name) for name in Counters.__slots__},
            "previous": dict(self.previous),
            "algorithm": self.learner.algorithm.state_dict(),
            "cursor": self.cursor.state_dict(),
            "watch": self.watch.state_dict(),
            "smoother": self.smoother.state_dict(),
            "law": self.law.state_dict(),
            "grader": dict(self.grader.counts),
        }


def _to_cpu(named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies off the training device, whose memory a large model needs for itself."""
    return {name: value.to("cpu", copy=True) for name, value in named.items()}
