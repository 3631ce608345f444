"""How often a rollout batch is used, and in which pieces."""

from __future__ import annotations

from dataclasses import dataclass

from tvo_cli.training.batch import Batch


@dataclass(frozen=True, slots=True)
class InnerLoop:
    """How often and in which pieces a batch is used."""

    epochs: int
    minibatches: int
    microbatch_rows: int
    variance_parts: int
    temperature: float
    microbatch_tokens: int = 0  # padded positions of one forward; 0: no bound

    def rows(self, batch: Batch) -> int:
        """Responses a micro-batch: as many as the tokens allow; 0 where nothing bounds a minibatch."""
        rollout = batch.rollout
        longest = int(rollout.prompt_mask.sum(1).max()) + int(rollout.mask.sum(1).max())
        bound = max(1, self.microbatch_tokens // max(longest, 1)) if self.microbatch_tokens else 0
        if not bound or bound >= len(rollout.mask) // self.minibatches:
            return self.microbatch_rows
        return min(bound, self.microbatch_rows or bound)
