"""The behaviour policy: other weights that sample in place of a policy's own, so that its gradient is off-policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch import Tensor

from tvo_cli.checkpoint.tensor_slice import HeldTensor
from tvo_cli.model import Policy


@dataclass(slots=True)
class BehaviourPolicy:
    """π_old beside π: the same network, which holds either's weights. Two copies of what trains besides the network."""

    policy: Policy
    weights: Mapping[str, HeldTensor]  # π_old's
    own: dict[str, Tensor] = field(init=False)  # π's, as they are when this is made

    def __post_init__(self) -> None:
        self.own = {name: tensor.detach().clone() for name, tensor in self.policy.trained_tensors().items()}

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside: the network is π_old's, which samples and gives log π_old; behind it π's again, to the bit."""
        self.policy.restore(self.weights)
        try:
            yield
        finally:
            self.policy.restore(self.own)
