"""The sizes that a dry run shows, as they follow from a config: steps, rollouts, tokens, updates, memory, disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from tvo_cli import data
from tvo_cli.checkpoint.disk_size import DiskSize, HeldCheckpoints
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.config.rank_checks import check_ranks
from tvo_cli.data.mixture import SOURCES, keys_of_source, shares_of_sources
from tvo_cli.errors import UserError
from tvo_cli.experiment.build_algorithm import build_algorithm
from tvo_cli.experiment.disk_room import disk_of_run
from tvo_cli.memory.longest_prompt import longest_prompt
from tvo_cli.memory.memory_plan import MemoryPlan, plan_memory
from tvo_cli.memory.network_shape import NetworkShape
from tvo_cli.memory.planned_run import PlannedRun, is_served, planned_run, rank_layout, request_of_run_rank
from tvo_cli.memory.published_networks import published_shape
from tvo_cli.memory.rank_memory import plan_rank_memory
from tvo_cli.memory.step_costs import H100, bytes_of_step, relief_of_bottleneck, seconds_of_step, step_work
from tvo_cli.memory.stored_network_shape import shape_of_model
from tvo_cli.model.loading.parameter_count import parameter_count

Sizes = dict[str, tuple[int | float | str, str]]  # label → value, where it comes from


class DerivedSizes(NamedTuple):
    """The sizes of a training run: a table in reading order, and the disk that it takes, None where nobody knows.

    disk_with: the same of a run that goes on, with the checkpoints that its folder holds.
    """

    table: Sizes
    disk: DiskSize | None
    disk_with: Callable[[HeldCheckpoints], DiskSize] | None = None


def derived_sizes(config: Any, ranks: int = 0) -> DerivedSizes:
    """Return the derived sizes of a training run, of so many processes where that is said.

    Raises:
        UserError: the config cannot work, or so many ranks cannot share it out.
    """
    check_across_keys(config)
    build_algorithm(config)  # for what a piece refuses
    if ranks:
        check_ranks(config, ranks)
    data_sizes = _dataset_sizes(config.dataset)
    try:
        longest, (shape, model) = longest_prompt(config), _shape_and_parameters(config.model)
    except UserError as error:
        unknown: Sizes = {"parameters": ("unknown", str(error))}
        return DerivedSizes(data_sizes | _rollout_sizes(config) | _update_sizes(config, None) | unknown, None)
    run = planned_run(config, shape, longest.tokens)
    prompt = {"tokens a prompt": (longest.tokens, f"at most; {longest.source}")}
    sizes = _rollout_sizes(config) | _update_sizes(config, run.request.microbatch_rows)
    disk, served = disk_of_run(config, run), _served_sizes(config.rollout, run)
    shared = _rank_sizes(config, run, ranks) if ranks else {}
    found = data_sizes | prompt | sizes | model | _adapter_sizes(run) | _memory_sizes(run) | served | shared
    return DerivedSizes(found | _disk_sizes(disk), disk, partial(disk_of_run, config, run))


def _shape_and_parameters(node: Any) -> tuple[NetworkShape, Sizes]:
    """Return the shape of a model's network and the row of its parameters; as published where the model is not here."""
    try:
        return shape_of_model(node), {"parameters": (parameter_count(node), "of the policy")}
    except UserError:
        shape = published_shape(str(node.path))
        if shape is None:
            raise
        note = f"of the policy, as published; {node.path} itself is not here, and a run needs it"
        return shape, {"parameters": (shape.parameters, note)}


def _dataset_sizes(node: Any) -> Sizes:
    """Return the number of problems of a file, which is read; a hub is not asked."""
    if node.kind == "mixture":
        shares = {f"share of {name}": (share, "dataset.weights") for name, share in shares_of_sources(node).items()}
        return {**shares, **_sizes_of_sources(node.sources)}
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


def _sizes_of_sources(sources: Any) -> Sizes:
    """Return the number of problems of each source of a mixture that is a file."""
    found: Sizes = {}
    for name, source in sources.items():
        with keys_of_source(str(name)):
            sizes = _dataset_sizes(source)
        found |= {f"{label} of {name}": (size, f"{SOURCES}.{name}") for label, (size, _) in sizes.items()}
    return found


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


def _update_sizes(config: Any, microbatch: int | None) -> Sizes:
    """Return how many responses a minibatch and a micro-batch hold and how many optimiser steps follow."""
    rollout = config.rollout
    rows = int(rollout.prompts) * int(rollout.samples) // int(rollout.minibatches)
    steps = int(rollout.epochs) * int(rollout.minibatches)
    micro = microbatch or min(int(config.trainer.microbatch_rows) or rows, rows)
    return {
        "responses a minibatch": (rows, "rollouts a batch ÷ rollout.minibatches; whole prompts"),
        "responses a micro-batch": (
            micro,
            "at most; trainer.microbatch_rows and microbatch_tokens bound it",
        ),
        "gradient accumulation": (-(-rows // micro), "micro-batches an optimiser step, at least"),
        "optimiser steps a batch": (steps, "rollout.epochs × rollout.minibatches"),
        "optimiser steps": (steps * int(config.trainer.steps), "in all"),
        "learning rate": (float(config.optimizer.lr), "optimizer.lr; the algorithm's own unless overridden"),
    }


def _adapter_sizes(run: PlannedRun) -> Sizes:
    """Return how many parameters train, where that is not all of the policy."""
    if run.request.adapter is None:
        return {}
    return {"parameters that train": (run.request.trained, "of the adapter; those of the policy are frozen")}


def _memory_sizes(run: PlannedRun) -> Sizes:
    """Return the predicted peak memory with its parts, and which copies of the model are kept."""
    plan = plan_memory(run.request)
    host = {"memory of the host, GB": (_gigabytes(sum(plan.host.values())), _memory_parts_text(plan.host))}
    return {
        "memory, GB": (_gigabytes(plan.peak), _peak_note(plan)),
        **(host if plan.host else {}),
        **_variance_sizes(run),
        "KL reference": ("kept" if run.reference.kept else "none", run.reference.reason),
        "flight recorder": ("on" if run.recorder.held.kept else "off", run.recorder.held.reason),
    }


def _variance_sizes(run: PlannedRun) -> Sizes:
    """Return whether the gradient's variance is read, where a prompt's responses are parted."""
    found = run.variance
    return {"gradient variance": ("read" if found.read else "not read", found.reason)} if found.parted else {}


def _served_sizes(rollout: Any, run: PlannedRun) -> Sizes:
    """Return who samples where this process does not, and the weights that are handed over."""
    if not is_served(rollout):
        return {}
    size = run.request.shape.parameters * run.request.weight_itemsize
    return {
        "servers": (", ".join(rollout.url), "rollout.url; they sample, and keep their own memory"),
        "weights for the servers, GB": (
            round(size / 1e9, 4),
            f"before each batch, in {rollout.folder}; twice as much while they are written",
        ),
    }


def _rank_sizes(config: Any, run: PlannedRun, ranks: int) -> Sizes:
    """Return what one of several ranks takes, what it exchanges in a step, and what a step waits for."""
    layout = rank_layout(config, ranks)
    plan = plan_rank_memory(request_of_run_rank(config, run.request, ranks), layout)
    work = step_work(config, run, ranks)
    moved, seconds = bytes_of_step(work, layout), seconds_of_step(work, layout)
    on_host = {name: size * min(ranks, H100.gpus) for name, size in plan.host.items()}
    host: Sizes = {"memory of a host, GB": (_gigabytes(sum(on_host.values())), _memory_parts_text(on_host))}
    slowest = max(seconds, key=lambda name: seconds[name])
    return {
        "ranks": (ranks, f"--ranks; copies of the weights: {layout.copies}, each among {layout.shards}"),
        "memory a rank, GB": (_gigabytes(plan.peak), _peak_note(plan)),
        **(host if on_host else {}),
        "moved a step, GB a rank": (_gigabytes(sum(moved.values())), _memory_parts_text(moved) or "one process"),
        "seconds a step, on H100s": (
            float(f"{sum(seconds.values()):.3g}"),
            f"on paper, were all responses as long as they may be: {_step_seconds_text(seconds)}",
        ),
        "bottleneck": (slowest, relief_of_bottleneck(slowest, work, layout)),
    }


def _step_seconds_text(seconds: Mapping[str, float]) -> str:
    """The seconds of a planned step by part, as a dry run shows them."""
    return ", ".join(f"{name} {value:.2g}" for name, value in seconds.items())


def _disk_sizes(disk: DiskSize) -> Sizes:
    """Return the derived sizes of a run on disk: when it is finished, and at most before."""
    note = "checkpoints and recorded steps; trainer.keep, trainer.save_policy_only, recorder.keep"
    return {
        "disk when finished, GB": (round(disk.finished / 1e9, 4), note),
        "disk at most, GB": (
            round(disk.at_most / 1e9, 4),
            "while it runs, after a signal in a step, with what a collapse keeps",
        ),
    }


def _peak_note(plan: MemoryPlan) -> str:
    """Return the parts of a peak: what stands all the time, and the phase that has it."""
    return f"peak: {_memory_parts_text(plan.standing)}, {plan.phase} {plan.phases[plan.phase] / 1e9:.2f}"


def _memory_parts_text(parts: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {size / 1e9:.2f}" for name, size in parts.items())


def _gigabytes(size: float) -> float:
    """A size of the dry run's table in GB, with two digits."""
    return round(size / 1e9, 2)
