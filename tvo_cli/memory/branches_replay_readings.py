"""What some runs do besides sampling, scoring and updating a batch: branches, kept responses, optional readings.

With n trained numbers of s bytes, prompts of L tokens, responses of at most T:

    branches         a cut may stand anywhere, and all rows end at the cache's last column: beside one behind T − 1
                     tokens of another may be one from its prompt, which then takes T more. Cache of L + 2·T − 1
                     columns for each of the rows that are sampled behind cuts
    kept responses   L·(8 + 1) + T·(8 + 1 + 4) + 12 bytes each: ids, mask, log π; reward and step. At most the
                     responses of `tolerance` + 2 batches: those up to `tolerance` older than the last, and the newest.
                     On the host.
    replay           an update on them, in which every response is a prompt of its own and none is shared
    layers           a reading of every layer: (K + 1)·H numbers a position of K layers' states, and three chunks of
                     logits where their entropies are read
    valley           2·n·s, two running means of what trains; a reading holds the largest of 4·n + 3·n·s and the
                     activations of its rows (a gradient in float32, the run's own weights, a sum of gradients and one
                     part of it), and 16·n (both gradients, the river and its unit vector)

All are at most: rows of full length, every response kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvo_cli import config as configuration
from tvo_cli.memory.activation_size import CHUNK
from tvo_cli.memory.microbatch_rows import bounded_rows
from tvo_cli.memory.network_shape import NetworkShape

FLOAT = 4
INTEGER = 8
KEPT_BATCHES = 2  # besides those of the tolerance: the last one and the newest
READ_ROWS = 16  # of a forward of an optional reading where trainer.microbatch_rows says nothing
LOGIT_COPIES = 3  # log π, π and their product, of a chunk


@dataclass(frozen=True, slots=True)
class ExtraWork:
    """Rows of what a run does besides; 0: it does not."""

    branched: int = 0  # responses of a batch that are sampled behind cuts
    kept: int = 0  # responses that are held
    replayed: int = 0  # of a micro-batch of a replay
    probed: int = 0  # of a micro-batch of the valley's probe
    layered: int = 0  # positions of a forward of which every layer's states are kept
    layer_entropy: bool = False  # whether each of them is given its logits

    @classmethod
    def of(cls, config: Any, longest: int, positions: int) -> ExtraWork:
        """Return the extra work of a run's config.

        Args:
            config: of a training run.
            longest: positions of the longest row.
            positions: of one forward, at most; 0: no bound.
        """
        kept, replayed = _kept_and_replayed(config, longest, positions)
        node = config.stability.get("readings") or {}
        rows = min(int(config.trainer.microbatch_rows) or READ_ROWS, int(node.get("rows", 0)))
        entropy, spectral = bool(node.get("layer_entropy")), bool(node.get("spectral_entropy"))
        read = longest if entropy else longest - int(config.rollout.max_tokens)
        return cls(
            branched=_rows_of_branches(config),
            kept=kept,
            replayed=replayed,
            probed=rows if node.get("valley") else 0,
            layered=rows * read if entropy or spectral else 0,
            layer_entropy=entropy,
        )


def _rows_of_branches(config: Any) -> int:
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


def layer_reading_bytes(shape: NetworkShape, extra: ExtraWork, itemsize: int, *, autocast: bool) -> float:
    """Return what a reading of every layer holds: its states, and the logits of a chunk."""
    size = FLOAT if autocast else itemsize
    states = extra.layered * (shape.layers + 1) * shape.hidden * size
    logits = LOGIT_COPIES * min(CHUNK, FLOAT * extra.layered * shape.vocabulary) if extra.layer_entropy else 0
    return float(states + logits)


def valley_reading_bytes(trained: int, itemsize: int, activations: float) -> float:
    """Return what a reading of the valley holds at once, the means apart."""
    return max(trained * (FLOAT + 3.0 * itemsize) + activations, 4.0 * FLOAT * trained)
