"""A GPU out of memory: micro-batches are halved once, the update begins anew, and the run goes on; then it ends.

From that update on every micro-batch is cut in two, between prompts where it has several. The counters remember since
when, so a resumed run and a replay cut as the run did. Only torch's own error is caught: a CPU's memory ends by a
signal of the kernel, or in an error that says nothing of what is still whole.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import torch

from tvo_cli.errors import UserError
from tvo_cli.parallel.ranks import Ranks
from tvo_cli.training import rng

if TYPE_CHECKING:
    from tvo_cli.training.counters import RunCounters

log = logging.getLogger("tvo")
CRITIC, POLICY = 0, 1  # halves of an update, in their order
PARTS = 2
Result = TypeVar("Result")


class OutOfMemoryOnAllRanks(torch.OutOfMemoryError):
    """A rank is out of memory, and all know it: they can begin anew together."""


class UpdateOutOfMemory(UserError):
    """An update that does not fit into memory, halved either; nothing of it was done, and the state is whole."""

    def __init__(self, rows: int) -> None:
        fewer = "fewer trainer.microbatch_rows, " if rows > 1 else ""
        super().__init__(
            "trainer.microbatch_rows",
            rows,
            "the GPU is out of memory also with micro-batches of so many responses.",
            f"Take model.gradient_checkpointing=true, {fewer}or a smaller rollout.max_tokens; "
            "tvo train --dry-run shows where the memory goes.",
        )


class OutOfMemoryOutsideUpdate(UserError):
    """What is generated, scored or evaluated at once does not fit into memory; the steps before it are whole."""

    def __init__(self, cache_bytes: float, tokens: int) -> None:
        super().__init__(
            "rollout.cache_gb",
            f"{cache_bytes / 1e9:.3g}",
            "the GPU is out of memory while responses are generated, scored or evaluated.",
            "Take a smaller rollout.cache_gb (generation, evaluation; 0 is no bound) or trainer.microbatch_tokens "
            f"(scoring; it was {tokens}): with these the same command goes on from the last checkpoint. "
            "tvo train --dry-run shows where the memory goes.",
        )


def out_of_memory_in_sharded_pass(rows: int) -> UserError:
    """A pass over sharded weights cannot be begun anew: the others are inside of it, and wait for this rank's part.

    rows: of the largest micro-batch.
    """
    problem = (
        "the GPU of a rank is out of memory in a pass over sharded weights, which the others are in the middle of."
    )
    remedy = (
        f"The same command with trainer.microbatch_rows={rows // 2} resume.allow=[trainer.microbatch_rows] goes on "
        "from the last checkpoint."
        if rows > 1
        else "Take model.gradient_checkpointing=true or a smaller rollout.max_tokens."
    )
    return UserError("trainer.microbatch_rows", rows, problem, remedy)


def within_memory_of_all_ranks(ranks: Ranks, work: Callable[[], Result], rows: int) -> Result:
    """What this rank's share of a pass gives, of `rows` responses at once, where every rank's memory sufficed.

    Raises:
        OutOfMemoryOnAllRanks: that of one did not.
        UserError: it did not, and weights are sharded.
    """
    found: list[Result] = []
    try:
        found.append(work())
    except torch.OutOfMemoryError:
        if ranks.sharded:
            raise out_of_memory_in_sharded_pass(rows) from None
    if ranks.largest(int(not found)):
        raise OutOfMemoryOnAllRanks("a micro-batch")
    return found[0]


@dataclass(frozen=True, slots=True)
class MemoryGuard:
    """The update under way, and since when micro-batches are halved."""

    counters: RunCounters
    update: int  # of the step, from 0
    ranks: Ranks = field(default_factory=Ranks)

    def run(self, compute: Callable[[bool], Result], *, part: int, rows: int) -> Result:
        """compute(halved): once more, halved, where it runs out of memory for the first time in the run.

        `compute` must leave nothing behind when it fails. `rows`: of the largest micro-batch before halving.

        Raises:
            UpdateOutOfMemory: it was halved already, or one response alone is too much.
            torch.OutOfMemoryError: the other ranks do not know of it, and go on.
        """
        if self._is_halved(part):
            return self._run_halved(compute, part, rows)
        streams = rng.rng_state()
        try:
            return compute(False)
        except self._known():
            pass  # nothing of the failed attempt is held outside of this block
        rng.set_rng_state(streams)
        if rows == 1:
            raise UpdateOutOfMemory(1)
        self._halve_from_here(part, rows)
        return self._run_halved(compute, part, rows)

    def _known(self) -> type[torch.OutOfMemoryError]:
        return torch.OutOfMemoryError if self.ranks.count == 1 else OutOfMemoryOnAllRanks

    def _is_halved(self, part: int) -> bool:
        since = self.counters.halved_step, self.counters.halved_at
        return since[0] >= 0 and since <= (self.counters.step, PARTS * self.update + part)

    def _run_halved(self, compute: Callable[[bool], Result], part: int, rows: int) -> Result:
        streams = rng.rng_state()
        try:
            return compute(True)
        except self._known():
            rng.set_rng_state(streams)
            raise UpdateOutOfMemory(-(-rows // 2)) from None

    def _halve_from_here(self, part: int, rows: int) -> None:
        self.counters.halved_step, self.counters.halved_at = self.counters.step, PARTS * self.update + part
        log.warning(
            "out of memory in update %d of step %d: micro-batches of %d responses are halved from here on, "
            "and this update begins anew; where a micro-batch holds a single prompt, the gradient's variance is not "
            "read from here on",
            *(self.update + 1, self.counters.step + 1, rows),
        )
        free_cached_memory()


def free_cached_memory() -> None:
    """Hand back what nothing holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
