"""From a GGUF file to a folder in the hub's format: safetensors in float32, the tokenizer, the chat template."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    modeling_gguf_pytorch_utils,
)
from transformers.utils import logging as transformers_logging

CONTROL = 3  # tokenizer.ggml.token_type of a special token
OF_THE_FILE = {"quantization_config", "_name_or_path", "architectures", "dtype", "torch_dtype"}  # not of the network
SPECIAL = (("bos_token", "bos"), ("eos_token", "eos"), ("unk_token", "unknown"), ("pad_token", "padding"))


def write_hub_folder(file: Path, folder: Path) -> None:
    """Write the model of a GGUF file with a byte-level BPE tokenizer into a folder."""
    from gguf import GGUFReader

    transformers_logging.disable_progress_bar()
    tokenizer = gguf_tokenizer(GGUFReader(file).fields)
    network = _network_of_gguf(file)
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    for name, value in ids.items():
        setattr(network.config, name, value)
    network.generation_config = GenerationConfig(**ids)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _network_of_gguf(file: Path) -> Any:
    """The network with its blocks dequantised. A new one: the loaded one refuses to be saved."""
    with _bar_on_a_terminal_alone():
        loaded = AutoModelForCausalLM.from_pretrained(str(file.parent), gguf_file=file.name, dtype=torch.float32)
    stated = {key: value for key, value in loaded.config.to_dict().items() if key not in OF_THE_FILE}
    config: PretrainedConfig = type(loaded.config)(**stated)
    network = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    network.load_state_dict(loaded.state_dict())
    return network


@contextmanager
def _bar_on_a_terminal_alone() -> Iterator[None]:
    """Have transformers draw its bar of dequantised tensors, which no setting hides, on terminals and nowhere else."""
    drawn = modeling_gguf_pytorch_utils.tqdm
    modeling_gguf_pytorch_utils.tqdm = partial(drawn, disable=None)
    try:
        yield
    finally:
        modeling_gguf_pytorch_utils.tqdm = drawn


def gguf_tokenizer(fields: Any) -> PreTrainedTokenizerFast:
    """Return the tokenizer of GGUF fields: single digits, then byte-level BPE.

    transformers' own conversion leaves out that digits stand alone.
    """
    tokens = fields["tokenizer.ggml.tokens"].contents()
    inner = _byte_level_bpe(tokens, fields["tokenizer.ggml.merges"].contents())
    kinds = fields["tokenizer.ggml.token_type"].contents()
    control = [token for token, kind in zip(tokens, kinds, strict=True) if kind == CONTROL]
    inner.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    architecture = fields["general.architecture"].contents()
    named = {name: f"tokenizer.ggml.{key}_token_id" for name, key in SPECIAL}
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        model_max_length=fields[f"{architecture}.context_length"].contents(),
        clean_up_tokenization_spaces=False,
        **{name: tokens[fields[key].contents()] for name, key in named.items() if key in fields},
    )
    if "tokenizer.chat_template" in fields:
        made.chat_template = fields["tokenizer.chat_template"].contents()
    return made


def _byte_level_bpe(tokens: list[str], merges: list[str]) -> Tokenizer:
    """The tokenizer of a GGUF file's tokens and merges."""
    pairs = [(left, right) for left, right in (pair.split(" ", 1) for pair in merges)]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs, fuse_unk=False))
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.ByteLevel(trim_offsets=True)
    return inner
