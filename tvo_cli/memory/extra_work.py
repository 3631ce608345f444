"""What some runs do besides sampling, scoring and updating a batch: branches, kept responses, readings of the valley.

With n trained numbers of s bytes, prompts of L tokens, responses of at most T:

    branches         a cut may stand anywhere, and all rows end at the cache's last column: beside one behind T − 1
                     tokens of another may be one from its prompt, which then takes T more. Cache of L + 2·T − 1
                     columns for each of the rows that are sampled behind cuts
    kept responses   L·(8 + 1) + T·(8 + 1 + 4) + 12 bytes each: ids, mask, log π; reward and step. At most the
                     responses of `tolerance` + 2 batches: those up to `tolerance` older than the last, and the newest.
                     On the host.
    replay           an update on them, in which every response is a prompt of its own and none is shared
    valley           2·n·s, two running means of what trains; a reading holds the largest of 4·n + 3·n·s and the
                     activations of its rows (a gradient in float32, the run's own weights, a sum of gradients and one
                     part of it), and 16·n (both gradients, the river and its unit vector)

All are at most: rows of full length, every response kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvo_cli import config as configuration
from tvo_cli.memory.microbatch_rows import bounded_rows

FLOAT = 4
INTEGER = 8
KEPT_BATCHES = 2  # besides those of the tolerance: the last one and the newest
PROBED_ROWS = 16  # of a forward of the valley where trainer.microbatch_rows says nothing: training/valley_readings.py


@dataclass(frozen=True, slots=True)
class ExtraWork:
    """Rows of what a run does besides; 0: it does not."""

    branched: int = 0  # responses of a batch that are sampled behind cuts
    kept: int = 0  # responses that are held
    replayed: int = 0  # of a micro-batch of a replay
    probed: int = 0  # of a micro-batch of the valley's probe

    @classmethod
    def of(cls, config: Any, longest: int, positions: int) -> ExtraWork:
        """Return the extra work of a run's config.

        Args:
            config: of a training run.
            longest: positions of the longest row.
            positions: of one forward, at most; 0: no bound.
        """
        kept, replayed = _kept_and_replayed(config, longest, positions)
        return cls(_branched_rows(config), kept, replayed, _probed_rows(config))


def _branched_rows(config: Any) -> int:
    """Return how many rows behind cuts are sampled at once, were there no bound of a cache."""
    node, rollout = config.algorithm.get("branching"), config.rollout
    if not node:
        return 0
    first = int(configuration.build(node).first(int(rollout.samples)))
    return min(int(rollout.prompts) * (int(rollout.samples) - first), int(rollout.batch_size))


def _kept_and_replayed(config: Any, longest: int, positions: int) -> tuple[int, int]:
    """Return how many responses self-imitation may hold, and those of a micro-batch that learns from them."""
    node, rollout = config.algorithm.get("self_imitation"), config.rollout
    if not node or not float(node.strength):
        return 0, 0
    batch, size = int(rollout.prompts) * int(rollout.samples), int(node.size)
    minibatch = -(-size // max(1, size * int(rollout.minibatches) // batch))
    rows = bounded_rows(int(config.trainer.microbatch_rows), positions, longest, minibatch=minibatch)
    return batch * (int(node.tolerance) + KEPT_BATCHES), min(rows or minibatch, minibatch)


def _probed_rows(config: Any) -> int:
    node = config.stability.get("readings") or {}
    return min(int(config.trainer.microbatch_rows) or PROBED_ROWS, int(node["rows"])) if node.get("valley") else 0


def branch_columns(prompt: int, response: int) -> int:
    """Return the columns of a row behind a cut: L + 2·T − 1."""
    return prompt + 2 * response - 1


def kept_response_bytes(responses: int, prompt: int, response: int) -> float:
    """Return what so many kept responses of full length take on the host."""
    ids_and_mask = INTEGER + 1
    each = prompt * ids_and_mask + response * (ids_and_mask + FLOAT) + FLOAT + INTEGER
    return float(responses * each)


def running_mean_bytes(trained: int, itemsize: int) -> float:
    """Return the two running means of what trains."""
    return 2.0 * trained * itemsize


def valley_reading_bytes(trained: int, itemsize: int, activations: float) -> float:
    """Return what a reading of the valley holds at once, the means apart."""
    return max(trained * (FLOAT + 3.0 * itemsize) + activations, 4.0 * FLOAT * trained)
