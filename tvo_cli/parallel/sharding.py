"""Networks whose weights several ranks hold between them: FSDP2 `fully_shard`, on the terms that training needs.

- One group a decoder layer, one for the rest: embedding, norm and head may be tied, so they belong together.
- Gradients are summed over ranks, for the shares of a loss are those of the whole minibatch; FSDP would take the mean.
- A method other than `forward` that runs backbone and head apart finds whole weights too.
- What autograd differentiates are the unsharded parameters: their objects stay the same for the network's life.

A forward of a sharded network is an appointment: every rank must keep it, as often as the others.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import (
    CPUOffloadPolicy,
    FSDPModule,
    MixedPrecisionPolicy,
    OffloadPolicy,
    fully_shard,
    register_fsdp_forward_method,
)

_frees_layers: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()
DTYPES = {"float32": None, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """conf/parallel/shard.yaml."""

    over: int = 0  # ranks that hold one copy between them; 0: all
    free_layers: bool = True
    offload: bool = False
    gather: str = "float32"


def mesh_of_ranks(count: int, over: int, device: str) -> DeviceMesh:
    """All ranks in one row, or copies × shards where several copies are held."""
    if over in (0, count):
        return init_device_mesh(device, (count,), mesh_dim_names=("shards",))
    return init_device_mesh(device, (count // over, over), mesh_dim_names=("copies", "shards"))


def shard_network(network: nn.Module, settings: ShardSettings, mesh: DeviceMesh, methods: Sequence[str] = ()) -> None:
    """Shard a network in place; `methods` run its parts besides `forward`.

    What trains beside frozen weights (an adapter) is small and stays whole on every rank.
    """
    frozen = [parameter for parameter in network.parameters() if not parameter.requires_grad]
    whole = {p for p in network.parameters() if p.requires_grad} if frozen else set[nn.Parameter]()
    dtype = DTYPES[settings.gather]
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32 if dtype else None)
    offload = CPUOffloadPolicy() if settings.offload else OffloadPolicy()
    for layer in layers_to_shard(network):
        fully_shard(
            layer,
            mesh=mesh,
            reshard_after_forward=settings.free_layers,
            mp_policy=policy,
            offload_policy=offload,
            ignored_params=whole,
        )
    fully_shard(
        network, mesh=mesh, reshard_after_forward=False, mp_policy=policy, offload_policy=offload, ignored_params=whole
    )
    _frees_layers[network] = settings.free_layers
    for group in sharded_groups(network):
        group.set_gradient_divide_factor(1.0)
        group.set_force_sum_reduction_for_comms(True)  # gloo has no pre-multiplied sum
    for method in methods:
        register_fsdp_forward_method(network, method)
    _settle_root(network)


def _settle_root(network: Any) -> None:
    """Make the network the root of its groups: FSDP takes the first that is forwarded, and a layer may be."""
    network.settle_root = types.MethodType(lambda self: None, network)
    register_fsdp_forward_method(network, "settle_root")
    network.settle_root()
    network.reshard()


def layers_to_shard(network: nn.Module) -> list[nn.Module]:
    """The blocks of a transformer: the longest list of modules of one kind."""
    lists = [list(module) for module in network.modules() if isinstance(module, nn.ModuleList) and len(module)]
    alike = [
        one for one in lists if len({type(block) for block in one}) == 1 and next(one[0].parameters(), None) is not None
    ]
    return max(alike, key=len, default=[])


def sharded_groups(network: nn.Module) -> list[FSDPModule]:
    """The network itself and its layers, where they are sharded."""
    return [module for module in network.modules() if isinstance(module, FSDPModule)]


@contextmanager
def whole_weights(network: nn.Module) -> Iterator[None]:
    """Inside: plain, whole weights on every rank, gathered once; forwards of any number and shape talk to nobody.

    Not under inference_mode: the next training forward could not use what is gathered there.
    """
    groups = sharded_groups(network)
    for group in groups:
        group.unshard()
        group.set_reshard_after_forward(False, recurse=False)
    try:
        yield
    finally:
        for group in groups:
            group.set_reshard_after_forward(_frees_layers[network] and group is not groups[0], recurse=False)
            group.reshard()


def differentiated_parameters(network: nn.Module) -> list[Tensor]:
    """What autograd differentiates: the unsharded parameters of a sharded network, which stay the same objects."""
    with whole_weights(network):
        return [parameter for parameter in network.parameters() if parameter.requires_grad]
