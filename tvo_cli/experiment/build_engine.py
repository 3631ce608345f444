"""Who generates in an evaluation: this program's own loop, vLLM in this process, or servers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig

from tvo_cli import config as configuration
from tvo_cli import environment
from tvo_cli.errors import UserError
from tvo_cli.experiment.build_exchange import build_client, build_exchange, check_whole_model
from tvo_cli.experiment.build_pair import check_pair, pair_engine
from tvo_cli.experiment.build_strategies import check_adaptive_engine
from tvo_cli.experiment.device_memory import cache_bytes_of_evaluation
from tvo_cli.model import Policy, load_policy
from tvo_cli.model.loading.loading_errors import is_removed_checkpoint, unloadable_model
from tvo_cli.model.model_files.model_location import model_location
from tvo_cli.model.model_files.policy_checkpoint import CHECKPOINTS
from tvo_cli.model.model_files.weights_fingerprint import weights_fingerprint
from tvo_cli.model.prompt_check import PromptReader
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.engines.engine import Engine, LocalEngine
from tvo_cli.rollout.engines.vllm_engine import VllmEngine
from tvo_cli.rollout.weight_transfer.weight_exchange import DiskExchange
from tvo_cli.training.device_and_precision import set_up_runtime

TRIES = 3  # to load the newest checkpoint of a run that goes on


class BuiltEngine(NamedTuple):
    """An engine, what prompts have to suit, and where it runs."""

    engine: Engine
    reader: PromptReader
    facts: dict[str, Any]
    policy: Policy | None = None  # where the model is in this process and alone


def build_engine_with_fingerprint(config: DictConfig, tell: Callable[[str], object]) -> tuple[BuiltEngine, str]:
    """The engine that a config names, and the fingerprint of just the weights that it has loaded.

    Of a run that goes on, a checkpoint may be removed while it is loaded; then a newer one is, TRIES times in all.
    """
    node, tries = config.model, 0
    while True:
        place, chosen, tries = model_location(node), node.checkpoint, tries + 1
        try:
            node.checkpoint = _checkpoint_of_place(place) or chosen
            weights = weights_fingerprint(place)  # first: once it is loaded, it may go
            return build_engine(config), weights
        except (UserError, OSError) as error:
            if not is_removed_checkpoint(place):
                raise
            if tries == TRIES:
                raise unloadable_model(node.path, place, error) from error
            tell(f"{Path(place).parent} was removed while it was loaded: the run goes on; the newest one is taken")
        finally:
            node.checkpoint = chosen


def _checkpoint_of_place(place: str) -> str:
    """The name of the checkpoint that a policy's place is in; "" where it is in none."""
    return Path(place).parent.name if Path(place).parts[-3:-2] == (CHECKPOINTS,) else ""


def build_engine(config: DictConfig) -> BuiltEngine:
    """The engine that a config of `tvo eval` names."""
    check_pair(config)
    check_adaptive_engine(config)
    if config.rollout.get("engine") == "vllm":
        return _vllm_engine(config)
    runtime = set_up_runtime(config.device, "auto", config.model.dtype, int(config.threads), deterministic=False)
    served = config.rollout.get("engine") == "server"
    if served:
        check_whole_model(config)
    policy = load_policy(config.model, device=runtime.device)
    reader, facts = PromptReader.of(policy, str(config.model.path)), environment.facts_of_network(policy, runtime)
    if config.protocol.get("switch"):
        return BuiltEngine(pair_engine(config, policy, runtime), reader, facts)
    if served:
        return BuiltEngine(_server_engine(config, policy, runtime.device), reader, facts)
    local = LocalEngine(policy, cache_bytes_of_evaluation(config.rollout, policy))
    return BuiltEngine(local, reader, facts, policy)


def _vllm_engine(config: DictConfig) -> BuiltEngine:
    check_whole_model(config)
    tree, place = configuration.resolved_tree(config.model), model_location(config.model)
    engine = VllmEngine(place, tree["revision"], tree["dtype"], configuration.resolved_tree(config.rollout.options))
    reader = PromptReader(str(tree["path"]), engine.tokenizer, frozenset({engine.tokenizer.eos_token_id}))
    return BuiltEngine(engine, reader, environment.facts_of_served_network(str(tree["dtype"])))


def _server_engine(config: DictConfig, policy: Policy, device: torch.device) -> Engine:
    """Servers that are handed the model before the first prompt, and score it as it is scored here."""
    from tvo_cli.rollout.engines.completion_service import CompletionService
    from tvo_cli.rollout.engines.server_engine import ServerEngine
    from tvo_cli.rollout.server_completion import ServedTokens, ServedVocabulary
    from tvo_cli.rollout.weight_transfer.server_probe import ServerProbe
    from tvo_cli.rollout.weight_transfer.weight_probe import PROMPT, WeightProbe

    node, name, about = config.rollout, str(config.rollout.model), "before the first prompt"
    client = build_client(node)
    exchange = build_exchange(node, client, device)

    def prepare(prompt: Sequence[int]) -> None:
        if isinstance(exchange, DiskExchange) and not node.untie:
            exchange.folder = _folder_for_servers(config)  # the model's own, no copy
        else:
            exchange.write(policy)
        exchange.load("eval", about)
        probe(prompt)
        exchange.clean_up()

    def probe(prompt: Sequence[int]) -> None:
        plain, limit = SamplingParams(samples=1, max_tokens=1), float(node.mismatch_limit)
        WeightProbe(ServerProbe(client, name), plain, tuple(prompt[:PROMPT]), limit).check(policy, about)

    tokens = ServedTokens(policy.tokenizer, ServedVocabulary.of(policy))
    handed_over = probe if node.weights == "none" else prepare
    return ServerEngine(CompletionService(client, name), tokens, handed_over, exchange.confirm)


def _folder_for_servers(config: DictConfig) -> Path:
    """The folder that servers load a model from."""
    place = Path(model_location(config.model))
    if place.is_dir():
        return place
    remedy = "Give a folder, or rollout.weights=none where the servers hold the model already."
    raise UserError("model.path", config.model.path, "is no folder that a server can load.", remedy)
