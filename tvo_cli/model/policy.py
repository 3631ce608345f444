"""The policy: a causal language model, its tokenizer, and the log-probabilities of responses under it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from tvo_cli.errors import UserError
from tvo_cli.model.backbone import Head, predicting_states
from tvo_cli.model.scores import Scores, chunked_readings, spread


class Prompts(NamedTuple):
    """Encoded prompts, left-padded to the longest."""

    ids: Tensor  # int64 [P, L]
    mask: Tensor  # bool [P, L]


class Policy:
    """π_θ(y | x). Holds no state beyond the network's weights: what `save` writes is all there is."""

    def __init__(self, network: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self.end_ids = _end_ids(network, tokenizer)
        pad = tokenizer.pad_token_id
        self.pad_id: int = pad if pad is not None else min(self.end_ids)
        self.head = Head.of(network)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.network.parameters()).device

    def parameters(self) -> Iterator[nn.Parameter]:
        """The weights, in the network's own order."""
        parameters: Iterator[nn.Parameter] = self.network.parameters()
        return parameters

    def encode(self, prompts: Sequence[str]) -> Prompts:
        """Token ids of prompts; the beginning token is added unless a chat template has already written it."""
        rows = [self._encode_one(prompt) for prompt in prompts]
        width = max(len(row) for row in rows)
        ids = torch.tensor([[self.pad_id] * (width - len(row)) + row for row in rows])
        mask = torch.tensor([[False] * (width - len(row)) + [True] * len(row) for row in rows])
        return Prompts(ids.to(self.device), mask.to(self.device))

    def _encode_one(self, prompt: str) -> list[int]:
        begin = self.tokenizer.bos_token
        templated = bool(begin) and prompt.startswith(begin)
        try:
            ids: list[int] = self.tokenizer(prompt, add_special_tokens=not templated)["input_ids"]
        except Exception as broken:  # tokenizers raises nothing narrower for a word it does not know
            raise UserError(
                "model.path",
                self.tokenizer.name_or_path,
                f"its tokenizer cannot encode {prompt[:60]!r} ({broken}).",
                "The embedded models know only the words of the embedded tasks.",
            ) from broken
        if not ids:
            raise UserError("dataset.name", prompt, "a prompt without a single token.", "Drop empty questions.")
        return ids

    def decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """Text of token ids, special tokens removed, spaces untouched."""
        texts: list[str] = self.tokenizer.batch_decode(
            list(rows), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return texts

    def score(
        self,
        prompt_ids: Tensor,
        prompt_mask: Tensor,
        response_ids: Tensor,
        mask: Tensor,
        temperature: float = 1.0,
    ) -> Scores:
        """log π, H and Σπ² of every response token, at softmax(logits / temperature).

        Shapes: prompts [B, L] left-padded, responses and `mask` [B, T] right-padded. Differentiable once. The
        head sees only positions that predict a True token, so its cost and memory follow the tokens, not the
        padded rectangle. temperature 0 (greedy sampling) is scored at 1, as the sampler records it.
        """
        hidden = predicting_states(self.network, self.head, prompt_ids, prompt_mask, response_ids, mask)
        readings = chunked_readings(
            self.head, hidden, response_ids[mask], temperature or 1.0, self.head.vocabulary(self.network)
        )
        return Scores(*(spread(reading, mask) for reading in readings))

    def save(self, folder: str | Path) -> None:
        """Write a hub-format folder: config, generation config, safetensors weights, tokenizer."""
        self.network.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def _end_ids(network: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> frozenset[int]:
    """Ids that end a response: the tokenizer's, and all of the generation config's (chat models have several)."""
    found: set[int] = set()
    sources: tuple[Any, ...] = (
        tokenizer.eos_token_id,
        getattr(network.generation_config, "eos_token_id", None),
    )
    for source in sources:
        found.update([] if source is None else [source] if isinstance(source, int) else source)
    if not found:
        raise UserError(
            "model.path",
            tokenizer.name_or_path,
            "neither its tokenizer nor its generation config names an end token.",
            "Set eos_token in tokenizer_config.json.",
        )
    return frozenset(found)
