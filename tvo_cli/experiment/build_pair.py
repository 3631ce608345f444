"""The small model that protocol.switch puts beside the evaluated one (entropy-adaptive decoding)."""

from __future__ import annotations

import logging
from typing import Any

from omegaconf import DictConfig

from tvo_cli.errors import UserError
from tvo_cli.model import Policy, load_policy
from tvo_cli.model.model_files.model_location import model_location
from tvo_cli.model.model_files.weights_fingerprint import weights_fingerprint
from tvo_cli.rollout.engines.engine import Engine
from tvo_cli.rollout.engines.entropy_adaptive import EntropyAdaptiveEngine, SwitchSettings
from tvo_cli.training.device_and_precision import Runtime

log = logging.getLogger("tvo")


def check_pair(config: DictConfig) -> None:
    """Refuse an engine outside of this process: it does not say how uncertain it was of a token.

    Raises:
        UserError: protocol.switch with another engine.
    """
    engine = config.rollout.get("engine")
    if config.protocol.get("switch") and engine:
        problem = "does not hand out the distributions that protocol.switch decides by."
        raise UserError("rollout", engine, problem, "Take rollout=default.")


def pair_engine(config: DictConfig, large: Policy, runtime: Runtime) -> Engine:
    """The evaluated model with the small one, on the same device and in the same precision."""
    switch = config.protocol.switch
    small = _small_policy(config, runtime)
    _warn_of_same_model(config)
    settings = SwitchSettings(float(switch.threshold), int(switch.window), int(switch.least))
    return EntropyAdaptiveEngine(small, large, settings)


def _warn_of_same_model(config: DictConfig) -> None:
    """Say that both models are the same one: which of them writes a token then changes the cost alone."""
    small, large = model_location(_node_of_small(config)), model_location(config.model)
    if small == large or (weights_fingerprint(large) and weights_fingerprint(small) == weights_fingerprint(large)):
        log.warning(
            "protocol.switch.small=%s is the model of model.path=%s itself: the switch changes the cost alone; "
            "name a smaller model of the same tokens",
            *(config.protocol.switch.small, config.model.path),
        )


def _small_policy(config: DictConfig, runtime: Runtime) -> Policy:
    """The small model; what is wrong with its path is said of the key that named it."""
    try:
        return load_policy(_node_of_small(config), device=runtime.device)
    except UserError as error:
        if error.key != "model.path":
            raise
        raise UserError("protocol.switch.small", error.value, error.problem, error.remedy) from error


def pair_of_models(config: DictConfig, engine: Any) -> dict[str, Any]:
    """What is recorded of the pair: the small model with its weights, and the parameters of both."""
    node = _node_of_small(config)
    place = model_location(node)
    return {
        "small": str(node["path"]),
        "weights": weights_fingerprint(place),
        "parameters_small": engine.parameters[0],
        "parameters_large": engine.parameters[1],
    }


def _node_of_small(config: DictConfig) -> DictConfig:
    node: DictConfig = config.model.copy()
    node.path = str(config.protocol.switch.small)
    node.checkpoint = "last"
    return node
