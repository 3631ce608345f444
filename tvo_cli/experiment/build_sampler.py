"""Who samples in a run: its own loop, vLLM in this process, or the servers that its config names."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from tvo_cli import config as configuration
from tvo_cli.data.problems import Problems
from tvo_cli.data.prompts import render_prompt
from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.model.model_files.model_location import folder_at_hand, model_location
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.sampler import LocalSampler, Sampler

log = logging.getLogger("tvo")


def build_sampler(
    config: DictConfig, policy: Policy, problems: Problems, resources: ExitStack, device: torch.device
) -> Sampler:
    """The sampler of a run, whose policy computes on `device`; no server is asked before something is sampled."""
    engine = config.rollout.get("engine")
    if engine is None:
        return LocalSampler()
    if config.trainer.old_logp == "auto":
        log.info("trainer.old_logp=auto: trainer, as rollout=%s samples", engine)
    _check_adapter_is_whole(config)
    prompt = render_prompt(problems.problem(0), config.model.prompt, policy.tokenizer)
    ids = tuple(policy.encode([prompt])[0][0].tolist())
    if engine == "vllm":
        return _colocated_sampler(config, ids, device)
    return _server_sampler(config, ids, resources, device)


def _server_sampler(config: DictConfig, prompt: tuple[int, ...], resources: ExitStack, device: torch.device) -> Sampler:
    from tvo_cli.experiment.build_exchange import build_client, build_exchange
    from tvo_cli.rollout.engines.completion_service import CompletionService
    from tvo_cli.rollout.engines.server_sampler import ServerSampler
    from tvo_cli.rollout.weight_transfer.server_probe import ServerProbe

    node = config.rollout
    client, model = build_client(node), str(node.model)
    _check_folder_is_not_the_model(Path(node.folder), config.model)
    exchange = build_exchange(node, client, device)
    resources.callback(exchange.clean_up)
    return ServerSampler(CompletionService(client, model), exchange, _probe(ServerProbe(client, model), node, prompt))


def _colocated_sampler(config: DictConfig, prompt: tuple[int, ...], device: torch.device) -> Sampler:
    """vLLM in this process, which seeds the process's generators at its start: they get their states back."""
    from tvo_cli.experiment.build_exchange import check_whole_model
    from tvo_cli.rollout.engines.colocated_vllm import ColocatedVllm, start_colocated_vllm
    from tvo_cli.rollout.engines.server_sampler import ServerSampler
    from tvo_cli.training.rng import rng_state, set_rng_state

    check_whole_model(config)
    if str(config.parallel.strategy) != "single":
        problem = "samples on one GPU in one process, and this run may have several."
        raise UserError("rollout", "vllm", problem, "Take parallel=single, or rollout=server.")
    node, tree, sleeps = config.rollout, configuration.resolved_tree(config.model), device.type == "cuda"
    options, before = configuration.resolved_tree(node.options), rng_state()
    place = model_location(config.model)
    vllm, started = start_colocated_vllm(place, tree["revision"], tree["dtype"], options, sleeps)
    set_rng_state(before)
    engine = ColocatedVllm(vllm, started, sleeps)
    engine.confirm("at the start")  # nothing is sampled yet, and it may sleep
    return ServerSampler(engine, engine, _probe(engine, node, prompt))


def _probe(engines: Any, node: Any, prompt: tuple[int, ...]) -> Any:
    """The probe that checks that the run's servers hold its weights."""
    from tvo_cli.rollout.weight_transfer.weight_probe import PROMPT, WeightProbe

    return WeightProbe(engines, SamplingParams.of(node), prompt[:PROMPT], float(node.mismatch_limit))


def _check_folder_is_not_the_model(folder: Path, model: Any) -> None:
    """Refuse a sampler's folder in which the model lies that the run starts from: it would be written over."""
    start = folder_at_hand(model)
    if start is not None and start.resolve() == folder.resolve():
        problem = "is the model that the run starts from, and would be written over."
        raise UserError("rollout.folder", folder, problem, "Take an empty folder that the servers see too.")


def _check_adapter_is_whole(config: DictConfig) -> None:
    """Refuse an adapter beside a base that several ranks hold between them: servers want it merged."""
    if config.adapter.kind != "none" and str(config.parallel.strategy) == "shard":
        problem = "an adapter is not merged into a sharded base, and servers load whole models."
        raise UserError("rollout", config.rollout.engine, problem, "Take parallel=replicate, or rollout=default.")
