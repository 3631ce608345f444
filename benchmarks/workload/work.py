"""The fixed work that both sides of a benchmark do: model, prompts, reward, lengths. Knows torch, not tvo_cli.

Random Qwen2-shape models, so that nothing is learned and every step costs the same. W1 is small with a vocabulary
of characters, W2 has the vocabulary of Qwen2.5, smollm2 the shape of SmolLM2-135M (Llama); the end token lies outside
the vocabulary, so that every response runs to its full length. Skewed works give every response a length of its own,
log-uniform from 8 tokens to the longest.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ +-*/=()?.,:;!<>[]{}^%$#@&_|\n"
PAD, END = "<pad>", "<end>"
PLAIN = 1  # a token that stands for an end token drawn before its time


@dataclass(frozen=True)
class Work:
    """One workload."""

    name: str
    prompts: int
    samples: int
    prompt_tokens: int
    new_tokens: int
    epochs: int = 1  # updates a rollout
    hidden: int = 192
    layers: int = 4
    heads: int = 6
    kv_heads: int = 2
    inner: int = 512
    vocabulary: int = 0  # 0: the characters
    shortest: int = 0  # >0: lengths log-uniform from here to new_tokens
    family: Literal["qwen2", "llama"] = "qwen2"

    @property
    def width(self) -> int:
        """Words of the model: the end token is one of them where responses have lengths of their own."""
        return (self.vocabulary or len(CHARACTERS) + 1) + (self.shortest > 0)

    @property
    def rows(self) -> int:
        """Responses a rollout."""
        return self.prompts * self.samples

    def as_json(self) -> str:
        """Its fields, as `named` reads them."""
        return json.dumps(vars(self))


W1 = Work("w1", prompts=16, samples=8, prompt_tokens=32, new_tokens=64)
WIDE: dict[str, Any] = {"hidden": 256, "layers": 4, "heads": 8, "kv_heads": 4, "inner": 1024, "vocabulary": 151_936}
SMOLLM2: dict[str, Any] = {"hidden": 576, "layers": 30, "heads": 9, "kv_heads": 3, "inner": 1536, "family": "llama"}
TINY = Work("tiny", 2, 4, 16, 8, hidden=48, layers=1, inner=64)  # for --quick
WORKS = {
    "tiny": TINY,
    "w1": W1,
    "w1x2": Work("w1x2", 16, 8, 32, 64, epochs=2),
    "w10m": Work("w10m", 16, 8, 32, 64, hidden=384, layers=6, inner=1152),
    "w1skew": Work("w1skew", 16, 8, 32, 128, shortest=8),
    "w2": Work("w2", prompts=4, samples=8, prompt_tokens=64, new_tokens=128, **WIDE),
    "w2x2": Work("w2x2", 4, 8, 64, 128, epochs=2, **WIDE),
    "smollm2": Work("smollm2", prompts=16, samples=4, prompt_tokens=64, new_tokens=64, vocabulary=49_152, **SMOLLM2),
    "smollm2skew": Work("smollm2skew", 16, 4, 64, 256, vocabulary=49_151, shortest=8, **SMOLLM2),
    "smollm2skew4": Work("smollm2skew4", 4, 4, 64, 256, vocabulary=49_151, shortest=8, **SMOLLM2),
}


def named(text: str) -> Work:
    """A work by its name, or by its fields as JSON."""
    return WORKS[text] if text in WORKS else Work(**json.loads(text))


def build(work: Work, folder: Path, rollouts: int) -> Path:
    """Write model, tokenizer and problems for `rollouts` batches; the folder."""
    import torch
    from transformers import LlamaForCausalLM, Qwen2ForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    tokenizer, width = character_tokenizer(work.vocabulary, reachable_end=work.shortest > 0)
    network = {"qwen2": Qwen2ForCausalLM, "llama": LlamaForCausalLM}[work.family](shape(work, width))
    network.generation_config.pad_token_id, network.generation_config.eos_token_id = 0, len(tokenizer) - 1
    network.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    texts = questions(work.prompts * rollouts, work.prompt_tokens)
    rows = [json.dumps({"question": text, "answer": str(index % 1000)}) for index, text in enumerate(texts)]
    (folder / "problems.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return folder


def shape(work: Work, vocabulary: int) -> Any:
    """The architecture."""
    from transformers import LlamaConfig, Qwen2Config

    return {"qwen2": Qwen2Config, "llama": LlamaConfig}[work.family](
        vocab_size=vocabulary,
        hidden_size=work.hidden,
        intermediate_size=work.inner,
        num_hidden_layers=work.layers,
        num_attention_heads=work.heads,
        num_key_value_heads=work.kv_heads,
        max_position_embeddings=max(512, work.prompt_tokens + work.new_tokens + 8),
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
    )


def character_tokenizer(vocabulary: int, *, reachable_end: bool) -> tuple[Any, int]:
    """One token a character, filled up to `vocabulary` words, then the end token; and the model's vocabulary."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {word: index for index, word in enumerate((PAD, *CHARACTERS))}
    words |= {f"\u2581w{index}": index for index in range(len(words), vocabulary)}
    words[END] = len(words)
    raw = Tokenizer(models.WordLevel(words, unk_token=PAD))
    raw.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    raw.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token=PAD, eos_token=END, padding_side="left", clean_up_tokenization_spaces=False
    )
    return tokenizer, len(words) if reachable_end else len(words) - 1


def end_token(work: Work) -> int:
    """The end token's id: the last."""
    return max(work.vocabulary, 1 + len(CHARACTERS))


def questions(count: int, tokens: int) -> list[str]:
    """Sums in a sentence of about `tokens` characters, two more or fewer, so that there is a little padding."""
    rng = random.Random(0)
    texts = []
    for _ in range(count):
        asked = f"What is {rng.randint(10, 9999)} {rng.choice('+-*')} {rng.randint(10, 9999)}? "
        filler = "".join(rng.choice(CHARACTERS[:36]) for _ in range(2 * tokens))
        texts.append((asked + filler)[: tokens + rng.randint(-2, 2)])
    return texts


def reward(text: str) -> float:
    """A number that differs between responses: a random model is never right, and equal rewards teach nothing."""
    return float(sum(map(ord, text)) % 7 == 0) + 0.1 * (ord(text[0]) % 3 if text else 0)


def lengths(work: Work, step: int) -> list[int]:
    """The length of each response of a batch: the same set every step, dealt out anew."""
    ratio = math.log(work.new_tokens / work.shortest) / max(work.rows - 1, 1)
    found = [round(work.shortest * math.exp(ratio * index)) for index in range(work.rows)]
    random.Random(step).shuffle(found)
    return found
