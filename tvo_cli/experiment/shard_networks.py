"""The networks of a run, shared out among ranks: reference and critic are copies, so this comes after them."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from tvo_cli.errors import UserError
from tvo_cli.experiment.build_learner import LearnerNetworks
from tvo_cli.model.forward_pass import sequence_packing, shared_prefix
from tvo_cli.parallel.ranks import Ranks
from tvo_cli.parallel.sharded_policy import ShardedPolicy
from tvo_cli.parallel.sharding import ShardSettings, mesh_of_ranks, shard_network
from tvo_cli.rollout.decoding.fused_decode import fused_decoder


def shard_networks(networks: LearnerNetworks, config: DictConfig, ranks: Ranks) -> LearnerNetworks:
    """Policy, reference and critic sharded in place."""
    _refuse_unshardable(config, ranks.device.type)
    node = config.parallel
    settings = ShardSettings(int(node.shard_over), bool(node.free_layers), bool(node.offload), str(node.gather))
    mesh = mesh_of_ranks(ranks.count, settings.over, ranks.device.type)
    for transformer in networks.transformers:
        _probe_before_sharding(transformer.base_model)
    for policy in (networks.policy, networks.reference):
        if policy is not None and policy.internal_body is not None:
            _probe_before_sharding(policy.internal_body)
    fused_decoder(networks.policy)
    policies = [
        None if policy is None else ShardedPolicy.of(policy, settings, mesh)
        for policy in (networks.policy, networks.reference)
    ]
    if networks.critic is not None:
        shard_network(networks.critic, settings, mesh, methods=("values",))
    return LearnerNetworks(policies[0] or networks.policy, policies[1], networks.critic)


def _probe_before_sharding(body: Any) -> None:
    """Ask a network what it can do before it is sharded, while a forward needs no other rank; it remembers."""
    sequence_packing.supports_packing(body)
    shared_prefix.allow_one_forward_only(body)


def _refuse_unshardable(config: DictConfig, device: str) -> None:
    """Refuse settings of a run whose networks are about to be shared out, and cannot be."""
    if config.parallel.offload and device == "cpu":
        problem = "the weights are in host memory already: the run computes on the CPU."
        raise UserError("parallel.offload", True, problem, "Take parallel.offload=false, or trainer.device=cuda.")
    if config.model.get("quantise"):
        remedy = "Take model.quantise=null, or parallel=replicate."
        raise UserError("model.quantise", config.model.quantise, "quantised weights are not sharded.", remedy)
    if str(config.optimizer.make.get("_target_", "")).startswith("tvo_cli.optim"):
        remedy = "Take optimizer=adamw, or parallel=replicate."
        raise UserError("optimizer", config.optimizer.make._target_, "its moments are not sharded.", remedy)
