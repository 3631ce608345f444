"""Plain numbers of a run from its config: how long and how often, its inner loop, its flight recorder."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tvo_cli.memory.microbatch_rows import SCORED, bounded_rows, shared_rows
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.readings_state import ReadingsSettings
from tvo_cli.types import Rollout


@dataclass(frozen=True, slots=True)
class InnerLoopSettings:
    """A run's numbers for the inner loop over a rollout batch: epochs, minibatches and micro-batches."""

    epochs: int
    minibatches: int
    microbatch_rows: int
    variance_parts: int
    temperature: float
    microbatch_tokens: int = 0  # padded positions of one forward; 0: no bound
    ranks: int = 1  # processes that a minibatch is cut for
    parted_variance: bool = True  # whether the gradient's variance is read where a prompt's responses are parted

    def scored_rows(self, rollout: Rollout) -> int:
        """Responses of a forward pass without gradient: at most SCORED, no more than the tokens allow."""
        longest = int(rollout.prompt_mask.sum(1).max()) + int(rollout.mask.sum(1).max())
        asked = self.microbatch_rows or SCORED
        rows = bounded_rows(asked, self.microbatch_tokens, longest, minibatch=asked)
        return shared_rows(rows, len(rollout.mask), self.ranks)

    def rows(self, batch: RolloutBatch) -> int:
        """Responses a micro-batch: as many as the tokens allow; 0 where nothing bounds a minibatch."""
        return shared_rows(self.bounded_rows(batch.rollout), len(batch.rollout.mask) // self.minibatches, self.ranks)

    def forward_rows(self, rollout: Rollout) -> int:
        """Responses of one forward outside of an update: as many as a micro-batch of it, or a whole minibatch, has."""
        minibatch = len(rollout.mask) // self.minibatches
        rows = shared_rows(self.bounded_rows(rollout), minibatch, self.ranks) or max(1, minibatch)
        return shared_rows(rows, len(rollout.mask), self.ranks)

    def bounded_rows(self, rollout: Rollout) -> int:
        """Responses that a micro-batch holds at most, however many ranks there are; 0: no bound."""
        longest = int(rollout.prompt_mask.sum(1).max()) + int(rollout.mask.sum(1).max())
        minibatch = len(rollout.mask) // self.minibatches
        return bounded_rows(self.microbatch_rows, self.microbatch_tokens, longest, minibatch=minibatch)


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The plain numbers of a run: steps, prompts, and how often it evaluates, saves and keeps checkpoints."""

    steps: int
    prompts: int
    evaluate_at_start: bool
    checkpoint_every: int
    keep: int
    keep_every: int
    keep_best: bool
    save_policy_only: bool
    nonfinite_limit: int
    snapshot_every: int
    viscosity_factor: float  # factor on the viscosity after a rollback
    old_logp: str
    importance_cap: float
    best: str = ""  # the test set whose pass@1 is a policy's score; "": the run's own held-out problems
    scored_by_evaluation: bool = False  # False: by fresh accuracy
    ranks_checked_every: int = 1  # batches; 0: never
    mismatch_limit: float = math.inf  # nats a token between sampler and trainer, above which a batch is refused
    refuse: float = 0.0  # standard errors by which F may rise in an update; 0: by any number
    refuse_drift: float = 0.0  # limit of the CUSUM of slow rises; 0: none
    profiled: tuple[int, ...] = ()  # steps, from 1: training/step_profiler.py
    readings: ReadingsSettings = field(default_factory=ReadingsSettings)  # those that are off by default


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    """What the flight recorder keeps: training/flight_recorder.py."""

    steps: tuple[int, ...] = ()
    on_collapse: bool = False
    on_nonfinite: bool = False
    keep: int = 2
