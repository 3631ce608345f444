"""Which policy an update is of: at first the one that an inner block speaks, then the whole network's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InternalPolicy:
    """Bottom-up policy optimisation: π_k = softmax(E_u h_k/τ) learns for the first steps, then π itself.

    BuPO, arXiv:2512.19673. h_k is the state after block k of N, without the final norm, E_u the output embedding, τ
    the sampling temperature; k = max(1, round(depth·N)). While it lasts, log π_θ, log π_old and those of a reference
    are all of π_k, so that only blocks 1 to k and the embeddings learn; responses are sampled from π throughout.

    Fidelity: official code (its state is the one after block 6 of Qwen3's 36, or 27 of Llama's 28, without the final
    norm; on random batches log π_k agrees with it within float32, loss and gradient by log π_k to 1e-12. There the
    optimiser's weight decay acts on the blocks above k too; here what has no gradient stays as it is).

    steps = 0 recovers the base.
    """

    depth: float  # k/N, in (0, 1]
    steps: int  # rollout batches that π_k learns from

    def acts_at(self, step: int) -> bool:
        """Whether the batch after so many others is π_k's."""
        return step < self.steps

    def block_of(self, blocks: int) -> int:
        """k of a network of so many blocks, from 1."""
        return max(1, round(self.depth * blocks))
