"""Who samples in a run: its own loop, or the servers that its config names."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from tvo_cli.data.problems import Problems
from tvo_cli.data.prompts import render_prompt
from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.model.model_location import folder_at_hand
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.sampler import LocalSampler, Sampler

log = logging.getLogger("tvo")


def build_sampler(config: DictConfig, policy: Policy, problems: Problems, resources: ExitStack) -> Sampler:
    """The sampler of a run; no server is asked before something is sampled."""
    node = config.rollout
    if node.get("engine") != "server":
        return LocalSampler()
    from tvo_cli.rollout.server_sampling import CompletionService, ServerSampler
    from tvo_cli.rollout.weight_exchange import DiskExchange
    from tvo_cli.rollout.weight_probe import PROMPT, WeightProbe

    client, folder = build_sampler_client(node), Path(node.folder)
    _check_folder_is_not_the_model(folder, config.model)
    _check_adapter_is_whole(config)
    prompt = render_prompt(problems.problem(0), config.model.prompt, policy.tokenizer)
    ids = policy.encode([prompt])[0][0, :PROMPT].tolist()
    exchange = DiskExchange(client, folder, bool(node.untie))
    resources.callback(exchange.clean_up)
    if config.trainer.old_logp == "auto":
        log.info("trainer.old_logp=auto: trainer, as servers sample (%s)", ", ".join(client.urls))
    probe = WeightProbe(client, str(node.model), SamplingParams.of(node), tuple(ids), float(node.mismatch_limit))
    return ServerSampler(CompletionService(client, str(node.model)), exchange, probe)


def build_sampler_client(node: Any) -> Any:
    """The client of the servers that a rollout node names."""
    from tvo_cli.rollout.server_client import ServerClient

    urls = tuple(str(url).rstrip("/").removesuffix("/v1") for url in node.url)
    return ServerClient(urls, timeout=float(node.timeout), requests=int(node.requests))


def _check_folder_is_not_the_model(folder: Path, model: Any) -> None:
    """Refuse to write over the model that the run starts from."""
    start = folder_at_hand(model)
    if start is not None and start.resolve() == folder.resolve():
        problem = "is the model that the run starts from, and would be written over."
        raise UserError("rollout.folder", folder, problem, "Take an empty folder that the servers see too.")


def _check_adapter_is_whole(config: DictConfig) -> None:
    """Refuse an adapter beside a base that several ranks hold between them: servers want it merged."""
    if config.adapter.kind != "none" and str(config.parallel.strategy) == "shard":
        problem = "an adapter is not merged into a sharded base, and servers load whole models."
        raise UserError("rollout", "server", problem, "Take parallel=replicate, or rollout=default.")
