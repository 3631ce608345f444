"""Settings that are `auto` in a config become what they mean for this model on this device, and each is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from omegaconf import DictConfig

from tvo_cli.data.chat_template import choose_template
from tvo_cli.model.loading.parameter_count import parameter_count
from tvo_cli.model.loading.tokenizer_loading import load_tokenizer
from tvo_cli.model.precision_choice import choose_precision, describe_precision, has_bfloat16_products
from tvo_cli.training.device_and_precision import choose_device

log = logging.getLogger("tvo")
AUTO = "auto"
Tell = Callable[[str], object]


def settle_training_settings(config: DictConfig, tell: Tell = log.info) -> None:
    """Set the prompt template, the weights' dtype and the precision of a training config, where they are auto."""
    settle_model_settings(config, tell)
    if config.trainer.precision == AUTO:
        device, key = str(config.trainer.device), "trainer.device"
        config.trainer.precision = automatic_precision(config.model, device, tell, key)


def settle_sft_precision(config: DictConfig, tell: Tell = log.info) -> None:
    """Set the precision of a fine-tuning, where it is auto."""
    if config.precision == AUTO:
        config.precision = automatic_precision(config.model, str(config.device), tell, key="precision")


def settle_model_settings(config: DictConfig, tell: Tell = log.info) -> None:
    """Set the prompt template and the dtype of weights that are trained, where they are auto."""
    _settle_templates([config.model.prompt], config.model, tell)
    if config.model.dtype == AUTO:
        config.model.dtype = "float32"  # the optimiser's small steps vanish in bfloat16 weights


def settle_evaluation_settings(config: DictConfig, tell: Tell = log.info) -> None:
    """Set the prompt templates and the weights' dtype of an evaluation, where they are auto."""
    protocols = [config.protocol, *(suite.protocol for suite in config.evaluation.suites.values())]
    if any(node.template == AUTO for node in protocols):
        _settle_templates([config.model.prompt, *protocols], config.model, tell)
    if config.model.dtype == AUTO:
        served = config.rollout.get("engine") == "vllm"  # which runs on CUDA, and chooses the device itself
        kind = "cuda" if served else choose_device(str(config.device)).type
        on_gpu = served or (kind != "cpu" and has_bfloat16_products(kind))
        chosen, parameters = _precision(config.model, kind, bfloat16=on_gpu)
        config.model.dtype = chosen
        if kind != "cpu":
            tell(f"model.dtype=auto: {chosen} weights ({kind}, {parameters:,} parameters)")


def automatic_precision(
    model: Any, device: str, tell: Tell = log.info, device_key: str = "device", key: str = "trainer.precision"
) -> str:
    """What the auto of a precision's `key` means for a training forward: float32 or bfloat16."""
    kind = choose_device(device, device_key).type
    bfloat16 = has_bfloat16_products(kind)
    chosen, parameters = _precision(model, kind, bfloat16=bfloat16)
    if kind != "cpu" or chosen != "float32":
        tell(f"{key}=auto: {describe_precision(kind, chosen, parameters)}")
    return chosen


def _precision(model: Any, kind: str, *, bfloat16: bool) -> tuple[str, int]:
    """What precision=auto means for a model on a kind of device, and its parameters where they have a say."""
    parameters = parameter_count(model) if kind != "cpu" or bfloat16 else 0
    dtype = "float32" if model["dtype"] == AUTO else str(model["dtype"])
    return choose_precision(kind, dtype, parameters, bfloat16=bfloat16), parameters


def _settle_templates(nodes: list[Any], model: Any, tell: Tell) -> None:
    """Set the templates that are auto to chat or plain; one tokenizer decides for all."""
    if not any(node.template == AUTO for node in nodes):
        return
    tokenizer = load_tokenizer(model)
    chosen = choose_template(AUTO, tokenizer)
    for node in nodes:
        if node.template == AUTO:
            node.template = chosen
    why = "the tokenizer has a chat template" if chosen == "chat" else "the tokenizer has no chat template"
    tell(f"model.prompt.template=auto: {chosen}, as {why}")


def notes_on_prompt(config: Any, tokenizer: Any) -> Iterator[str]:
    """What of the prompt is not used although it is there: a chat template, the data set's suffix."""
    prompt, suffix = config.model.prompt, str(config.dataset.suffix or "")
    if prompt.template == "plain" and getattr(tokenizer, "chat_template", None):
        yield "the tokenizer has a chat template, and model.prompt.template=plain does not use it"
    if suffix and suffix not in (prompt.suffix or ""):
        yield f"dataset.suffix={suffix!r} is not asked: model.prompt.suffix={prompt.suffix!r} stands in its place"
