"""`tvo eval`: one model on suites of problems."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Any

from omegaconf import DictConfig

from tvo_cli import config as configuration
from tvo_cli import environment
from tvo_cli.errors import UserError
from tvo_cli.evaluation import pipeline
from tvo_cli.evaluation.generate_and_grade import EvaluatorStep
from tvo_cli.evaluation.suite import Suite
from tvo_cli.experiment.automatic_settings import Tell, settle_evaluation_settings
from tvo_cli.experiment.memory_bounds import cache_bytes_of_evaluation
from tvo_cli.experiment.settings_of_run import adopt_run_settings, notes_on_protocols
from tvo_cli.model import load_policy
from tvo_cli.model.model_identity import warn_of_fetched_weights
from tvo_cli.model.model_location import is_adapter, model_location
from tvo_cli.model.prompt_check import PromptReader
from tvo_cli.model.weights_fingerprint import weights_fingerprint
from tvo_cli.rollout.engine import Engine, LocalEngine
from tvo_cli.rollout.vllm_engine import VllmEngine
from tvo_cli.training.device_and_precision import set_up_runtime

log = logging.getLogger("tvo")


def evaluate(
    config: DictConfig,
    watch: Callable[[EvaluatorStep], object],
    given: Collection[str] = (),
    tell: Tell = log.info,
) -> dict[str, Any]:
    """Evaluate one model on suites of problems; the summary that is also written to summary.json.

    `given`: the keys that the user set. What else decides the model's answers is taken from the run that trained it.
    """
    warn_of_fetched_weights(config.model)
    of_run = adopt_run_settings(config, given, tell)
    settle_evaluation_settings(config, tell)
    tree, place = configuration.resolved_tree(config.model), model_location(config.model)
    if config.rollout.get("engine") == "vllm":
        _check_served_model(config.model.path, place)
        served = VllmEngine(place, tree["revision"], tree["dtype"], configuration.resolved_tree(config.rollout.options))
        engine: Engine = served
        tokenizer = served.tokenizer
        reader = PromptReader(str(tree["path"]), tokenizer, frozenset({tokenizer.eos_token_id}))
        facts = environment.of_served(str(tree["dtype"]))
    else:
        runtime = set_up_runtime(config.device, "auto", config.model.dtype, int(config.threads), deterministic=False)
        policy = load_policy(config.model, device=runtime.device)
        engine = LocalEngine(policy, cache_bytes_of_evaluation(config.rollout, policy))
        tokenizer, reader = policy.tokenizer, PromptReader.of(policy, str(tree["path"]))
        facts = environment.of_network(policy, runtime)
    model = {
        "model": str(tree["path"]),
        "weights": weights_fingerprint(place) or tree["revision"],
        "dtype": tree["dtype"],
    }
    model["chat_template"] = hashlib.sha256(str(tokenizer.chat_template or "").encode()).hexdigest()[:12]
    model["engine"] = str(config.rollout.get("engine") or "tvo")

    def notice(suites: Sequence[Suite]) -> None:
        for note in notes_on_protocols(suites, config.model.prompt, tokenizer, given, of_run=of_run):
            tell(note)

    return pipeline.evaluate_suites(config, engine, tokenizer, model, watch, reader, facts, notice)


def _check_served_model(path: str, place: str) -> None:
    """Refuse an adapter for an engine that is handed a whole model."""
    if is_adapter(place):
        remedy = "Merge it first: tvo export RUN OUT --merge; or leave rollout=default."
        raise UserError("model.path", path, "holds an adapter, which rollout=vllm does not load.", remedy)
