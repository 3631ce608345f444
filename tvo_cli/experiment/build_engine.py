"""Who generates in an evaluation: this program's own loop, vLLM in this process, or servers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from tvo_cli import config as configuration
from tvo_cli import environment
from tvo_cli.errors import UserError
from tvo_cli.experiment.build_sampler import build_sampler_client
from tvo_cli.experiment.memory_bounds import cache_bytes_of_evaluation
from tvo_cli.model import Policy, load_policy
from tvo_cli.model.model_location import is_adapter, model_location
from tvo_cli.model.prompt_check import PromptReader
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.engine import Engine, LocalEngine
from tvo_cli.rollout.vllm_engine import VllmEngine
from tvo_cli.training.device_and_precision import set_up_runtime


class BuiltEngine(NamedTuple):
    """An engine, what prompts have to suit, and where it runs."""

    engine: Engine
    reader: PromptReader
    facts: dict[str, Any]


def build_engine(config: DictConfig) -> BuiltEngine:
    """The engine that a config of `tvo eval` names."""
    if config.rollout.get("engine") == "vllm":
        return _vllm_engine(config)
    runtime = set_up_runtime(config.device, "auto", config.model.dtype, int(config.threads), deterministic=False)
    served = config.rollout.get("engine") == "server"
    if served:
        _check_served_model(config)
    policy = load_policy(config.model, device=runtime.device)
    reader, facts = PromptReader.of(policy, str(config.model.path)), environment.facts_of_network(policy, runtime)
    if served:
        return BuiltEngine(_server_engine(config, policy), reader, facts)
    return BuiltEngine(LocalEngine(policy, cache_bytes_of_evaluation(config.rollout, policy)), reader, facts)


def _vllm_engine(config: DictConfig) -> BuiltEngine:
    _check_served_model(config)
    tree, place = configuration.resolved_tree(config.model), model_location(config.model)
    engine = VllmEngine(place, tree["revision"], tree["dtype"], configuration.resolved_tree(config.rollout.options))
    reader = PromptReader(str(tree["path"]), engine.tokenizer, frozenset({engine.tokenizer.eos_token_id}))
    return BuiltEngine(engine, reader, environment.facts_of_served_network(str(tree["dtype"])))


def _server_engine(config: DictConfig, policy: Policy) -> Engine:
    """Servers that are handed the model before the first prompt, and score it as it is scored here."""
    from tvo_cli.rollout.server_completion import ServedVocabulary
    from tvo_cli.rollout.server_sampling import CompletionService, ServedTokens, ServerEngine
    from tvo_cli.rollout.weight_exchange import DiskExchange
    from tvo_cli.rollout.weight_probe import PROMPT, WeightProbe

    node, name, about = config.rollout, str(config.rollout.model), "before the first prompt"
    client = build_sampler_client(node)
    exchange = DiskExchange(client, Path(node.folder), bool(node.untie))

    def prepare(prompt: Sequence[int]) -> None:
        if node.weights == "disk" and node.untie:
            exchange.write(policy)
        if node.weights == "disk":
            exchange.load(exchange.folder if node.untie else _folder_for_servers(config), "eval", about)
        plain = SamplingParams(samples=1, max_tokens=1)
        WeightProbe(client, name, plain, tuple(prompt[:PROMPT]), float(node.mismatch_limit)).check(policy, about)
        exchange.clean_up()

    tokens = ServedTokens(policy.tokenizer, ServedVocabulary.of(policy))
    return ServerEngine(CompletionService(client, name), tokens, prepare, exchange.confirm)


def _folder_for_servers(config: DictConfig) -> Path:
    """The folder that servers load a model from."""
    place = Path(model_location(config.model))
    if place.is_dir():
        return place
    remedy = "Give a folder, or rollout.weights=none where the servers hold the model already."
    raise UserError("model.path", config.model.path, "is no folder that a server can load.", remedy)


def _check_served_model(config: DictConfig) -> None:
    """Refuse an adapter for an engine that is handed a whole model."""
    if is_adapter(model_location(config.model)):
        problem = f"holds an adapter, which rollout={config.rollout.engine} does not load."
        remedy = "Merge it first: tvo export RUN OUT --merge; or leave rollout=default."
        raise UserError("model.path", config.model.path, problem, remedy)
