"""The largest micro-batches of a run, by phase: as training/update/minibatches.py cuts them, for full-length rows."""

from __future__ import annotations

from typing import Any, NamedTuple

SCORED = 64  # rows of a forward without gradient that nothing else bounds


class MicrobatchSizes(NamedTuple):
    """Rows at once, at most."""

    update: int
    critic: int
    scored: int
    valued: int  # by the critic, before the update
    generated: int
    evaluated: int  # of the held-out check; 0: there is none


def microbatch_sizes(config: Any, longest: int, positions: int) -> MicrobatchSizes:
    """Return the rows of each phase.

    Args:
        config: of a training run.
        longest: positions of the longest row.
        positions: of one forward, at most; 0: no bound.
    """
    rollout, trainer = config.rollout, config.trainer
    samples, prompts = int(rollout.samples), int(rollout.prompts) // int(rollout.minibatches)
    asked, whole = int(trainer.microbatch_rows), samples * prompts
    rows = bounded_rows(asked, positions, longest, minibatch=whole)
    first = whole // variance_parts(prompts, samples, int(trainer.variance_parts), rows)
    several = int(rollout.epochs) * int(rollout.minibatches) > 1
    largest = max(first, _rows_of_whole_groups(rows, samples, whole) if several else 0)
    passes = passes_within(rows, samples)
    everything = int(rollout.prompts) * samples
    return MicrobatchSizes(
        update=largest if passes == 1 else -(-samples // passes),
        critic=min(rows or whole, whole),
        scored=min(bounded_rows(asked or SCORED, positions, longest, minibatch=asked or SCORED), everything),
        valued=min(asked or everything, everything),
        generated=min(everything, int(rollout.batch_size)),
        evaluated=min(int(config.evaluation.problems) * int(config.evaluation.samples), int(rollout.batch_size)),
    )


def bounded_rows(rows: int, positions: int, longest: int, *, minibatch: int) -> int:
    """Return responses a micro-batch: `rows`, fewer where `positions` allow no more; 0 where nothing bounds it."""
    bound = max(1, positions // max(longest, 1)) if positions else 0
    if not bound or bound >= minibatch:
        return rows
    return min(bound, rows or bound)


def passes_within(rows: int, responses: int) -> int:
    """Return into how many micro-batches of about equal size a prompt's responses are parted; 0 rows: no bound."""
    return -(-responses // rows) if rows else 1


def reads_variance(prompts: int, most: int) -> bool:
    """Return whether the variance is asked for, and a minibatch has prompts enough for it."""
    return min(prompts, most) > 1


def shared_rows(rows: int, whole: int, ranks: int) -> int:
    """Return so few rows at once that every rank has some of the whole; 0 rows: all of them."""
    return rows if ranks == 1 else min(rows or whole, max(1, whole // ranks))


def variance_parts(prompts: int, samples: int, most: int, rows: int, ranks: int = 1) -> int:
    """Return into how many micro-batches of equally many prompts a minibatch is cut: as many a rank, if it can."""
    divisors = [n for n in range(1, prompts + 1) if prompts % n == 0]
    divisors = [n for n in divisors if n % ranks == 0] or divisors
    count = max((n for n in divisors if n <= max(most, ranks)), default=divisors[0])
    if not rows:
        return count
    return next((n for n in divisors if n >= count and prompts // n * samples <= rows), prompts)


def _rows_of_whole_groups(rows: int, samples: int, minibatch: int) -> int:
    """Rows of a micro-batch that holds whole groups, at least one, within a minibatch; 0 rows: the whole minibatch."""
    return min(max(samples, rows // samples * samples), minibatch) if rows else minibatch
