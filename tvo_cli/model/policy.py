"""The policy: a transformers causal language model, its tokenizer, and what it says of given responses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from tvo_cli.model.scores import Scores, chunked_readings, spread


@dataclass(slots=True)
class Policy:
    """π_θ(y_t | x, y_<t) and the tokens it is written in."""

    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    end_ids: frozenset[int]
    pad_id: int

    def parameters(self) -> Iterator[nn.Parameter]:
        """The network's."""
        return self.network.parameters()

    def score(
        self, prompt_ids: Tensor, prompt_mask: Tensor, response_ids: Tensor, mask: Tensor, temperature: float
    ) -> Scores:
        """log π, H and Σπ² of every response token at a temperature, each [B, T], differentiable."""
        hidden = predicting_states(backbone(self.network), prompt_ids, prompt_mask, response_ids, mask)
        head = self.network.get_output_embeddings()
        vocabulary = int(self.network.config.get_text_config().vocab_size)
        found = chunked_readings(head, hidden, response_ids[mask], temperature, vocabulary)
        return Scores(*(spread(values, mask) for values in found))

    def save(self, folder: Path) -> None:
        """Write the hub format: config, safetensors, tokenizer."""
        self.network.save_pretrained(folder, safe_serialization=True)
        self.tokenizer.save_pretrained(folder)


def backbone(network: PreTrainedModel) -> nn.Module:
    """The part below the head, whose last hidden states the head turns into logits."""
    found: nn.Module = network.base_model
    return found


def predicting_states(
    body: nn.Module, prompt_ids: Tensor, prompt_mask: Tensor, response_ids: Tensor, mask: Tensor
) -> Tensor:
    """Hidden states at the positions that predict the response tokens under `mask`, in row order, [N, H].

    Prompts are left-padded and positions counted from the first real token, so padding changes nothing.
    """
    ids = torch.cat([prompt_ids, response_ids], dim=1)
    attention = torch.cat([prompt_mask, mask], dim=1)
    positions = (attention.long().cumsum(1) - 1).clamp(min=0)
    padded: dict[str, Any] = {} if bool(prompt_mask.all()) else {"attention_mask": attention.long()}
    states = body(input_ids=ids[:, :-1], position_ids=positions[:, :-1], use_cache=False, **_cut(padded))
    last: Tensor = states.last_hidden_state[:, prompt_ids.shape[1] - 1 :]
    return last[mask]


def _cut(padded: dict[str, Any]) -> dict[str, Any]:
    return {key: value[:, :-1] for key, value in padded.items()}
