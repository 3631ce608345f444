"""A policy whose weights several ranks hold between them."""

from __future__ import annotations

import types
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh

from tvo_cli.model.forward_pass.logprobs import ScoresWithExtras
from tvo_cli.model.policy import Policy
from tvo_cli.parallel.sharding import ShardSettings, differentiated_parameters, shard_network, whole_weights


class ShardedPolicy(Policy):
    """A policy that reads through its network, so that FSDP2 gathers and frees weights around it."""

    @classmethod
    def of(cls, policy: Policy, settings: ShardSettings, mesh: DeviceMesh) -> ShardedPolicy:
        """Shard the network of a policy in place; what asks a network by small forwards has to ask before."""
        sharded = cls(
            policy.network, policy.tokenizer, policy.end_ids, policy.pad_id, policy.base, policy.internal_body
        )
        network: Any = policy.network

        def read(_: Any, *given: Any, **named: Any) -> ScoresWithExtras:
            return Policy.read(sharded, *given, **named)

        network.read_responses = types.MethodType(read, network)
        network.run_forward = types.MethodType(lambda _, forward: forward(), network)
        shard_network(network, settings, mesh, methods=("read_responses", "run_forward"))
        return sharded

    def read(self, *given: Any, **named: Any) -> ScoresWithExtras:
        """As a policy, of which every rank reads equally often."""
        network: Any = self.network
        found: ScoresWithExtras = network.read_responses(*given, **named)
        return found

    def forwarded(self, forward: Callable[[], Tensor]) -> Tensor:
        """As a policy; every rank equally often."""
        network: Any = self.network
        found: Tensor = network.run_forward(forward)
        return found

    def gathered(self) -> AbstractContextManager[None]:
        """Whole weights inside."""
        return whole_weights(self.network)

    def differentiated_parameters(self) -> list[Tensor]:
        """The unsharded ones."""
        return differentiated_parameters(self.network)
