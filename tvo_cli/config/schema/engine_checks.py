"""Checks of the engine that generates: which command takes it, which keys it reads, what it cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tvo_cli.config.schema.value_descriptions import describe_value_as_override
from tvo_cli.errors import UserError

COMMANDS = {"vllm": ("train", "eval"), "server": ("train", "eval")}
SERVER_KEYS = ("url", "model", "weights", "folder", "untie", "requests", "timeout", "mismatch_limit")
KEYS = {"vllm": ("options", "mismatch_limit"), "server": SERVER_KEYS}


def check_engine(rollout: Mapping[str, Any], root: str) -> None:
    """Refuse an engine that the command has no use for, keys of another one, and what the engine cannot do."""
    engine = rollout.get("engine")
    _check_command(engine, root)
    _check_keys(rollout, engine)
    if engine == "server":
        _check_engine_weights(rollout, root)
    if engine is not None:
        _check_logprobs(rollout, root)


def _check_command(engine: str | None, root: str) -> None:
    """Refuse an engine that the command does not take."""
    if engine is None or root in COMMANDS.get(engine, ()) or root not in ("train", "eval", "sft"):
        return
    raise UserError("rollout", engine, f"is an engine of `tvo train` and `tvo eval`, not of `tvo {root}`.")


def _check_keys(rollout: Mapping[str, Any], engine: str | None) -> None:
    """Refuse a key that another engine reads, and an engine without the keys that it reads."""
    for other, keys in KEYS.items():
        stray = next((key for key in keys if key in rollout and key not in KEYS.get(engine or "", ())), None)
        if stray is not None:
            value = describe_value_as_override(rollout[stray])
            which = "are read by an engine only." if stray == "options" else f"is read by rollout={other} only."
            raise UserError(f"rollout.{stray}", value, which, f"Take rollout={other}.")
    missing = [key for key in KEYS.get(engine or "", ()) if key not in rollout]
    if missing:
        remedy = f"Take rollout={engine}, which has all."
        raise UserError("rollout.engine", engine, f"needs rollout.{missing[0]}.", remedy)


def _check_engine_weights(rollout: Mapping[str, Any], root: str) -> None:
    weights, urls = str(rollout["weights"]), rollout["url"]
    if weights == "none" and root == "train":
        problem, remedy = "would leave the servers with the weights of the start.", "Take rollout.weights=disk."
        raise UserError("rollout.weights", weights, problem, remedy)
    if weights == "ipc" and len(urls) > 1:
        problem = f"shares the memory of one GPU with one server, and rollout.url names {len(urls)}."
        raise UserError("rollout.weights", weights, problem, "Take rollout.weights=nccl or disk, or one address.")


def _check_logprobs(rollout: Mapping[str, Any], root: str) -> None:
    """Refuse a truncation at another temperature: vLLM says log π of what is left, or of temperature 1."""
    heat, nucleus, most = (float(rollout[key]) for key in ("temperature", "top_p", "top_k"))
    if root == "train" and heat not in (0.0, 1.0) and (nucleus < 1.0 or most > 0.0):
        key, value = ("top_p", rollout["top_p"]) if nucleus < 1.0 else ("top_k", rollout["top_k"])
        problem = f"vLLM does not say log π of all tokens at rollout.temperature={heat:g} where it truncates."
        raise UserError(f"rollout.{key}", value, problem, "Take rollout.temperature=1, or no truncation.")
