"""From a folder or a hub id to a policy: safetensors only, no remote code, one clear line for what is wrong."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from tvo_cli.errors import UserError
from tvo_cli.model.fingerprint import weights_of
from tvo_cli.model.policy import Policy
from tvo_cli.model.tiny import tiny_network, tiny_tokenizer

log = logging.getLogger("tvo")
WEIGHTS = Path(__file__).parent / "weights"
PROBE = "7 + 3 = "
FRESH = "fresh"  # the embedded model before any training
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def load_policy(node: Any, *, device: torch.device | str, dtype: torch.dtype | None = None) -> Policy:
    """The policy that a model node names: `packaged:NAME`, a local folder, or a hub id with an optional revision."""
    transformers_logging.disable_progress_bar()  # a bar a file is noise in a log
    if str(node["path"]) == FRESH:
        return _fresh(device)
    place, options = _place(node)
    chosen = dtype or _dtype(str(node["dtype"]))
    try:
        config = AutoConfig.from_pretrained(place, **options)
        network = AutoModelForCausalLM.from_pretrained(
            place,
            config=config,
            dtype=chosen,
            use_safetensors=True,
            attn_implementation=str(node["attention"]),
            **options,
        )
        tokenizer = _tokenizer(place, options)
    except ImportError as error:
        raise UserError("model.attention", node["attention"], _first_line(error), "Choose sdpa or eager.") from error
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise UserError("model.path", node["path"], _first_line(error), _remedy(place)) from error
    if node["gradient_checkpointing"]:
        recompute_layers(network)
    _without_dropout(network)
    network.to(device).eval()
    return Policy(network, tokenizer, _end_ids(network, tokenizer), _pad_id(network, tokenizer))


def recompute_layers(network: Any) -> None:
    """Keep only the layers' inputs and recompute the rest in the backward pass."""
    enable = getattr(network, "activation_checkpointing_enable", None)  # its name from transformers 5.2x on
    (enable or network.gradient_checkpointing_enable)({"use_reentrant": False})


def _without_dropout(network: torch.nn.Module) -> None:
    """Dropout off for good: the ratio π_θ/π_old would carry its noise, and checkpointing needs training mode."""
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name in ("attention_dropout", "dropout", "activation_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


def _fresh(device: torch.device | str) -> Policy:
    """The embedded model with random weights; always the same."""
    tokenizer = tiny_tokenizer()
    network = tiny_network(tokenizer, seed=0).to(device).eval()
    return Policy(network, tokenizer, _end_ids(network, tokenizer), _pad_id(network, tokenizer))


def _place(node: Any) -> tuple[str, dict[str, Any]]:
    """Where to load from, and with which options."""
    path = str(node["path"])
    options: dict[str, Any] = {"trust_remote_code": False}
    if path.startswith("packaged:"):
        return str(_checked(WEIGHTS / path.removeprefix("packaged:"), path)), options | {"local_files_only": True}
    if Path(path).exists() or path.startswith((".", "/", "~", "outputs")):
        chosen = weights_of(path, str(node.get("checkpoint") or "last"))
        return str(_checked(Path(chosen).expanduser(), path)), options | {"local_files_only": True}
    return path, options | ({"revision": node["revision"]} if node.get("revision") else {})


def _checked(folder: Path, given: str) -> Path:
    """A local folder that holds a model, or the reason why it does not."""
    if not folder.is_dir():
        raise UserError("model.path", given, "no such folder.", "Give a folder in the hub's format, or a hub id.")
    for file in ("config.json", "tokenizer_config.json"):
        if not (folder / file).is_file():
            raise UserError("model.path", given, f"the folder has no {file}.", "Save model and tokenizer there.")
    if not list(folder.glob("*.safetensors")):
        pickled = list(folder.glob("*.bin")) + list(folder.glob("*.pt"))
        remedy = "Convert them to safetensors; pickles are never loaded." if pickled else "Save the model there."
        raise UserError("model.path", given, "the folder has no safetensors weights.", remedy)
    return folder


def _tokenizer(place: str, options: dict[str, Any]) -> PreTrainedTokenizerFast:
    """AutoTokenizer, unless its class drops characters of a custom tokenizer that the plain one keeps."""
    tokenizer = AutoTokenizer.from_pretrained(place, **options)
    plain = Path(place, "tokenizer.json")
    if plain.is_file():
        direct = PreTrainedTokenizerFast.from_pretrained(place, **options)
        if _round_trip(tokenizer) != _round_trip(direct):
            tokenizer = direct
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _round_trip(tokenizer: PreTrainedTokenizerFast) -> str:
    return str(tokenizer.decode(tokenizer(PROBE, add_special_tokens=False)["input_ids"]))


def _dtype(name: str) -> torch.dtype:
    if name not in DTYPES:
        raise UserError("model.dtype", name, "not a dtype.", f"Choose {', '.join(DTYPES)}.")
    return DTYPES[name]


def _end_ids(network: Any, tokenizer: PreTrainedTokenizerFast) -> frozenset[int]:
    """End tokens of the tokenizer and of the generation config."""
    configured = network.generation_config.eos_token_id
    listed = configured if isinstance(configured, list) else [configured]
    return frozenset(int(i) for i in [*listed, tokenizer.eos_token_id] if i is not None)


def _pad_id(network: Any, tokenizer: PreTrainedTokenizerFast) -> int:
    """The padding token; where the model has no embedding for it, another's serves: no position under it is read."""
    found, rows = tokenizer.pad_token_id, int(network.get_input_embeddings().weight.shape[0])
    if found is not None and found < rows:
        return int(found)
    instead = min((token for token in _end_ids(network, tokenizer) if token < rows), default=0)
    name = tokenizer.convert_ids_to_tokens(instead)
    log.info("the model has no embedding for its padding token %r: %r pads instead", tokenizer.pad_token, name)
    return instead


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"cannot be loaded ({lines[0] if lines else type(error).__name__})"


def _remedy(place: str) -> str:
    if Path(place).is_dir():
        return "The folder must hold a transformers causal LM with its tokenizer."
    return "Check the id and the network, or give a local folder."


def place_of(node: Any) -> str:
    """The folder, or the hub id, that a model node names."""
    return _place(node)[0]


def parameter_count(node: Any) -> int:
    """Parameters of the model a node names, from its config alone: no weights are read."""
    if str(node["path"]) == FRESH:
        return sum(p.numel() for p in tiny_network(tiny_tokenizer(), seed=0).parameters())
    place, options = _place(node)
    try:
        config = AutoConfig.from_pretrained(place, **options)
    except (OSError, ValueError) as error:
        raise UserError("model.path", node["path"], _first_line(error), _remedy(place)) from error
    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(config)
    return sum(p.numel() for p in network.parameters())
