"""The sizes that follow from a config, before anything is started: steps, rollouts, tokens, updates, memory."""

from __future__ import annotations

from typing import Any

from tvo_cli import data
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.errors import UserError
from tvo_cli.model.parameter_count import parameter_count

Sizes = dict[str, tuple[int | float | str, str]]  # label → value, where it comes from


def derived_sizes(config: Any) -> Sizes:
    """Return the derived sizes of a training run, in reading order; refuse a config that cannot work."""
    check_across_keys(config)
    return _dataset_sizes(config.dataset) | _rollout_sizes(config) | _update_sizes(config) | _memory_size(config)


def _dataset_sizes(node: Any) -> Sizes:
    """Return the number of problems of a file, which is read; a hub is not asked."""
    if node.kind != "jsonl":
        return {}
    sizes: Sizes = {}
    for split, label in (("train", "training problems"), ("test", "held-out problems")):
        try:
            sizes[label] = (data.load(node, split=split, seed=0).size or 0, "dataset.path")
        except UserError as error:
            if split == "train":
                raise
            sizes[label] = (0, str(error))
    return sizes


def _rollout_sizes(config: Any) -> Sizes:
    """Return how many rollouts and tokens a batch and the whole run sample."""
    rollout, steps = config.rollout, int(config.trainer.steps)
    batch = int(rollout.prompts) * int(rollout.samples)
    sampling = config.algorithm.sampling
    most = int(sampling.get("most", 1)) * int(sampling.get("size", 1))
    drawn: Sizes = {"rollouts sampled for a batch": (batch * most, "at most; algorithm.sampling")} if most > 1 else {}
    return {
        "prompts a batch": (int(rollout.prompts), "rollout.prompts"),
        "samples a prompt": (int(rollout.samples), "rollout.samples"),
        "rollouts a batch": (batch, "prompts × samples"),
        **drawn,
        "tokens a response": (int(rollout.max_tokens), "at most; rollout.max_tokens"),
        "batches": (steps, "trainer.steps"),
        "rollouts": (batch * steps, "rollouts a batch × batches"),
        "response tokens": (batch * steps * int(rollout.max_tokens), "at most"),
    }


def _update_sizes(config: Any) -> Sizes:
    """Return how many responses a minibatch holds and how many optimiser steps follow."""
    rollout = config.rollout
    rows = int(rollout.prompts) * int(rollout.samples) // int(rollout.minibatches)
    steps = int(rollout.epochs) * int(rollout.minibatches)
    micro = int(config.trainer.microbatch_rows) or rows
    return {
        "responses a minibatch": (rows, "rollouts a batch ÷ rollout.minibatches; whole prompts"),
        "responses a micro-batch": (
            min(micro, rows),
            "at most; trainer.microbatch_rows and microbatch_tokens bound it",
        ),
        "optimiser steps a batch": (steps, "rollout.epochs × rollout.minibatches"),
        "optimiser steps": (steps * int(config.trainer.steps), "in all"),
        "learning rate": (float(config.optimizer.lr), "optimizer.lr; the algorithm's own unless overridden"),
    }


def _memory_size(config: Any) -> Sizes:
    """Estimate the memory of weights, gradients, AdamW's moments, reference and critic; activations come on top."""
    try:
        parameters = parameter_count(config.model)
    except UserError as error:
        return {"parameters": ("unknown", str(error))}
    networks = 4 + int(bool(config.stability.reference)) + 4 * int(bool(config.algorithm.critic))
    size = 2 if config.model.dtype == "bfloat16" else 4
    return {
        "parameters": (parameters, "of the policy"),
        "memory, GB": (parameters * size * networks / 1e9, f"{networks} × weights; activations and cache on top"),
    }
