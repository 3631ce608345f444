"""From a folder or a hub id to a policy: safetensors only, no remote code, one clear line for what is wrong."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from tvo_cli.errors import UserError
from tvo_cli.model.adapters.adapter_base import check_same_base, place_of_base
from tvo_cli.model.adapters.adapter_folder import load_adapter, read_base
from tvo_cli.model.decodable_tokens import end_token_ids
from tvo_cli.model.forward_pass.gradient_checkpointing import enable_gradient_checkpointing
from tvo_cli.model.loading.loading_errors import is_removed_checkpoint, unloadable_model
from tvo_cli.model.loading.quantisation import dequantise, keep_quantised_as_loaded, quantisation_options
from tvo_cli.model.loading.tokenizer_loading import tokenizer_of_place
from tvo_cli.model.loading.weight_alignment import align_weights
from tvo_cli.model.model_files.hub_reach import check_hub_answers
from tvo_cli.model.model_files.model_location import FRESH, is_adapter, location_and_options, model_location
from tvo_cli.model.model_files.weights_fingerprint import stored_weights_fingerprint
from tvo_cli.model.policy import Policy
from tvo_cli.model.tiny_model import tiny_network, tiny_tokenizer

log = logging.getLogger("tvo")
DTYPES = {"auto": torch.float32, "float32": torch.float32, "bfloat16": torch.bfloat16}
LOADING_ERRORS = (ImportError, OSError, ValueError, KeyError, RuntimeError, SafetensorError)


def load_policy(node: Any, *, device: torch.device | str, dtype: torch.dtype | None = None) -> Policy:
    """The policy that a model node names: `packaged:NAME`, `fetched:NAME`, a folder, or a hub id with a revision."""
    transformers_logging.disable_progress_bar()  # a bar a file is noise in a log
    if str(node["path"]) == FRESH:
        return _fresh_tiny_policy(device)
    place, options = location_and_options(node)
    check_hub_answers(node, place)
    if is_adapter(place):
        return load_with_adapter(node, Path(place), device, dtype)
    if node.get("base"):
        problem = f"is not used: {node['path']} is a model of its own and no adapter."
        raise UserError("model.base", node["base"], problem, "Leave it out.")
    chosen = dtype or _torch_dtype(str(node["dtype"]))
    try:
        config = AutoConfig.from_pretrained(place, **options)
        network = AutoModelForCausalLM.from_pretrained(
            place,
            config=config,
            dtype=chosen,
            use_safetensors=True,
            attn_implementation=str(node["attention"]),
            **quantisation_options(node.get("quantise"), torch.device(device), chosen),
            **options,
        )
        tokenizer = tokenizer_of_place(place, options)
    except LOADING_ERRORS as error:
        raise _loading_error(node, place, error) from error
    if node["gradient_checkpointing"]:
        enable_gradient_checkpointing(network)
    _switch_dropout_off(network)
    if node.get("quantise"):
        keep_quantised_as_loaded(network)
    else:
        network.to(device)
        align_weights(network)
    network.eval()
    ends = _eos_token_ids(network, tokenizer)
    _warn_without_end(ends)
    return Policy(network, tokenizer, ends, _pad_token_id(network, tokenizer))


def load_with_adapter(
    node: Any, folder: Path, device: torch.device | str, dtype: torch.dtype | None, *, whole: bool = False
) -> Policy:
    """Load a policy as a base and the adapter of a folder beside it; `whole`: quantised weights in full precision."""
    base = read_base(folder)
    place = place_of_base(base, node)
    chosen = {**dict(node), "path": place, "revision": base.revision, "checkpoint": "last", "base": None}
    chosen["quantise"] = base.quantise or node.get("quantise")
    if is_adapter(model_location(chosen)):
        remedy = "Merge that one first: tvo export RUN OUT --merge."
        raise UserError("model.path", node["path"], f"is an adapter beside another adapter, {place}.", remedy)
    policy = load_policy(chosen, device=device, dtype=dtype)
    check_same_base(base, stored_weights_fingerprint(model_location(chosen), policy.network, base.revision), node)
    if whole:
        dequantise(policy)
    load_adapter(policy.network, folder)
    policy.base = base
    return policy


def _switch_dropout_off(network: torch.nn.Module) -> None:
    """Dropout off for good: the ratio π_θ/π_old would carry its noise, and checkpointing needs training mode."""
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name in ("attention_dropout", "dropout", "activation_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


def _fresh_tiny_policy(device: torch.device | str) -> Policy:
    """The embedded model with random weights; always the same."""
    tokenizer = tiny_tokenizer()
    network = tiny_network(tokenizer, seed=0).to(device).eval()
    return Policy(network, tokenizer, _eos_token_ids(network, tokenizer), _pad_token_id(network, tokenizer))


def _torch_dtype(name: str) -> torch.dtype:
    if name not in DTYPES:
        raise UserError("model.dtype", name, "not a dtype.", f"Choose {', '.join(DTYPES)}.")
    return DTYPES[name]


def _eos_token_ids(network: Any, tokenizer: PreTrainedTokenizerFast) -> frozenset[int]:
    """End tokens of the tokenizer and of the generation config."""
    return end_token_ids(network.generation_config.eos_token_id, tokenizer)


def _pad_token_id(network: Any, tokenizer: PreTrainedTokenizerFast) -> int:
    """The padding token; where the model has no embedding for it, another's serves: no position under it is read."""
    found, rows = tokenizer.pad_token_id, int(network.get_input_embeddings().weight.shape[0])
    if found is not None and found < rows:
        return int(found)
    instead = min((token for token in _eos_token_ids(network, tokenizer) if token < rows), default=0)
    lacks = "no padding token" if found is None else f"no embedding for its padding token {tokenizer.pad_token!r}"
    log.info("the model has %s: %r pads instead", lacks, tokenizer.convert_ids_to_tokens(instead))
    return instead


def _warn_without_end(end_ids: frozenset[int]) -> None:
    if not end_ids:
        log.warning(
            "neither the tokenizer nor the generation config has an end token: every response runs to its limit; "
            "rollout.stop=[TEXT] ends one (tvo eval: protocol.stop)"
        )


def _loading_error(node: Any, place: str, error: Exception) -> UserError:
    """One line for what transformers raised: an attention that the architecture does not have, or else the folder."""
    attention = str(node["attention"])
    if not is_removed_checkpoint(place) and _fails_by_attention(place, node, attention):
        remedy = "Take model.attention=eager." if attention != "eager" else "Take another model."
        return UserError("model.attention", attention, "this architecture does not have it.", remedy)
    return unloadable_model(node["path"], place, error)


def _fails_by_attention(place: str, node: Any, attention: str) -> bool:
    """Whether the network can be made with eager attention, and not with the one that is asked for; no weights."""
    return not _network_can_be_made(place, node, attention) and _network_can_be_made(place, node, "eager")


def _network_can_be_made(place: str, node: Any, attention: str) -> bool:
    options = location_and_options(node)[1]
    try:
        with torch.device("meta"):
            AutoModelForCausalLM.from_config(
                AutoConfig.from_pretrained(place, **options), attn_implementation=attention
            )
    except LOADING_ERRORS:
        return False
    return True


def load_config(node: Any) -> Any:
    """Load the transformers config of a policy that a node names, without its weights."""
    place, options = location_and_options(node)
    check_hub_answers(node, place)
    try:
        return AutoConfig.from_pretrained(place, **options)
    except (OSError, ValueError) as error:
        raise unloadable_model(node["path"], place, error) from error
