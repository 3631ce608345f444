"""Who samples in a run: its own loop, or the servers that its config names."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from tvo_cli.data.problems import Problems
from tvo_cli.data.prompts import render_prompt
from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.model.model_location import folder_at_hand
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.sampler import LocalSampler, Sampler

log = logging.getLogger("tvo")


def build_sampler(
    config: DictConfig, policy: Policy, problems: Problems, resources: ExitStack, device: torch.device
) -> Sampler:
    """The sampler of a run, whose policy computes on `device`; no server is asked before something is sampled."""
    node = config.rollout
    if node.get("engine") != "server":
        return LocalSampler()
    from tvo_cli.experiment.build_exchange import build_client, build_exchange
    from tvo_cli.rollout.server_probe import ServerProbe
    from tvo_cli.rollout.server_sampling import CompletionService, ServerSampler
    from tvo_cli.rollout.weight_probe import PROMPT, WeightProbe

    client, model = build_client(node), str(node.model)
    _check_folder_is_not_the_model(Path(node.folder), config.model)
    _check_adapter_is_whole(config)
    prompt = render_prompt(problems.problem(0), config.model.prompt, policy.tokenizer)
    ids = policy.encode([prompt])[0][0, :PROMPT].tolist()
    exchange = build_exchange(node, client, device)
    resources.callback(exchange.clean_up)
    if config.trainer.old_logp == "auto":
        log.info("trainer.old_logp=auto: trainer, as servers sample (%s)", ", ".join(client.urls))
    probe = WeightProbe(ServerProbe(client, model), SamplingParams.of(node), tuple(ids), float(node.mismatch_limit))
    return ServerSampler(CompletionService(client, model), exchange, probe)


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
