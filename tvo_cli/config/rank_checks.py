"""Checks of what a config and the number of processes must agree on, before anything is loaded."""

from __future__ import annotations

from typing import Any

from tvo_cli.config.schema.command_configs import ONE_PROCESS
from tvo_cli.errors import UserError

OF_SEVERAL = ("timeout", "check_every")  # every other key is of sharded weights


def check_ranks(config: Any, count: int) -> None:
    """Refuse a config that so many ranks cannot share out.

    Raises:
        UserError: one process is asked for, or there are fewer prompts a minibatch than ranks, or copies do not divide.
    """
    strategy = str(config.parallel.strategy)
    if strategy == "single" and count > 1:
        remedy = "Take parallel=replicate or parallel=shard."
        raise UserError("parallel", strategy, f"{count} processes were started.", remedy)
    _check_prompts_of_ranks(config.rollout, count)
    over = int(config.parallel.shard_over)
    if strategy == "shard" and over and count % over:
        near = max(n for n in range(1, min(over, count) + 1) if count % n == 0)
        raise UserError(
            "parallel.shard_over", over, f"does not divide the {count} ranks.", f"Take {near}, or 0 for all."
        )


def check_keys_are_used(parallel: Any) -> None:
    """Refuse a key of `parallel` that the strategy does not read.

    Raises:
        UserError: it has another value than its default.
    """
    strategy = str(parallel.strategy)
    read = {"shard": (*ONE_PROCESS,), "replicate": ("strategy", *OF_SEVERAL)}.get(strategy, ("strategy",))
    for key, default in ONE_PROCESS.items():
        if key not in read and parallel[key] != default:
            others = "parallel=replicate or parallel=shard" if key in OF_SEVERAL else "parallel=shard"
            problem = f"is not read under parallel={strategy}."
            raise UserError(f"parallel.{key}", parallel[key], problem, f"Take {others}, or leave it out.")


def _check_prompts_of_ranks(rollout: Any, count: int) -> None:
    """Refuse minibatches of fewer prompts than there are ranks."""
    prompts = int(rollout.prompts) // int(rollout.minibatches)
    if prompts < count:
        whole = count * int(rollout.minibatches)
        remedy = f"Take rollout.prompts={whole}"
        remedy += (
            f", or rollout.minibatches={max(1, int(rollout.prompts) // count)}." if rollout.prompts >= count else "."
        )
        raise UserError(
            "rollout.minibatches", rollout.minibatches, f"a minibatch has {prompts} prompts for {count} ranks.", remedy
        )
