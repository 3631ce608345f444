"""A small random checkpoint in hub format, its BPE tokenizer trained on a JSONL: real input without a hub.

    python -m benchmarks.workload.small_checkpoint ../shared/data/math_train.jsonl outputs/small-math

It knows nothing; what it proves is that a model which is not the embedded one takes every line of the real path.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

END, PAD = "<|endoftext|>", "<|pad|>"


def texts(path: Path) -> Iterator[str]:
    """Questions and solutions."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield f"{row.get('problem', '')}\n{row.get('solution', '')}"


def tokenizer_of(path: Path, vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=[END, PAD], initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(texts(path), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=raw, eos_token=END, pad_token=PAD, padding_side="left")


def build(source: Path, folder: Path, *, vocabulary: int = 2048, width: int = 64, layers: int = 2) -> None:
    """Write the checkpoint."""
    tokenizer = tokenizer_of(source, vocabulary)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    network = Qwen2ForCausalLM(config)
    network.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="a JSONL with problem and solution")
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args()
    build(chosen.source, chosen.folder)
    print(f"wrote {chosen.folder}")


if __name__ == "__main__":
    main()
