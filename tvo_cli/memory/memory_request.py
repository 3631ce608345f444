"""What the memory of a run depends on: its network, how its work is cut, what it keeps and does besides."""

from __future__ import annotations

from dataclasses import dataclass, field

from tvo_cli.memory.adapter_size import AdapterSize, frozen_bytes
from tvo_cli.memory.branches_replay_readings import ExtraWork
from tvo_cli.memory.network_shape import NetworkShape

FLOAT = 4


@dataclass(frozen=True, slots=True)
class MemoryRequest:
    """What the memory of a run depends on."""

    shape: NetworkShape
    weight_itemsize: int  # s: bytes of a stored weight
    trained: int  # n
    optimizer_bytes: float  # o, a trained parameter
    autocast: bool
    checkpointed: bool
    gpu: bool
    tiled: bool  # whether logits are read in tiles
    critic: bool
    samples: int  # responses a prompt
    prompt: int  # tokens of the longest
    response: int  # tokens of the longest
    reference: bool = False
    adapter: AdapterSize | None = None
    quantised: bool = False  # whether the frozen weights take 4 bits
    eager: bool = False  # whether attention keeps its weights
    copies: int = 0  # of weights and optimiser state, held on the host: flight recorder, rollback
    microbatch_rows: int = 1
    critic_rows: int = 1
    scored_rows: int = 0  # of a forward without gradient before the update; 0: there is none
    generated_rows: int = 1  # at once
    evaluated_rows: int = 0  # of the held-out check, at once; 0: there is none
    evaluated_response: int = 0  # tokens of the longest of its responses
    summed_gradient: bool = False  # whether that of a parted prompt is summed for the reading of the variance
    extra: ExtraWork = field(default_factory=ExtraWork)

    @property
    def itemsize(self) -> int:
        """Bytes of a number of the forward pass."""
        return 2 if self.autocast else self.weight_itemsize

    @property
    def trained_itemsize(self) -> int:
        """Bytes of a trained number: adapters train in float32."""
        return FLOAT if self.adapter else self.weight_itemsize

    @property
    def weight_bytes(self) -> float:
        """Bytes of the network and of the adapter beside it."""
        added = self.trained * FLOAT if self.adapter else 0
        return frozen_bytes(self.shape, self.weight_itemsize, quantised=self.quantised) + added

    @property
    def critic_trained(self) -> int:
        """Trained numbers of a critic: a body of its own, or an adapter beside the policy's frozen one."""
        return self.trained if self.adapter else self.shape.body

    @property
    def length(self) -> int:
        """Positions of the longest row."""
        return self.prompt + self.response
