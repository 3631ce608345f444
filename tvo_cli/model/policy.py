"""The policy: a transformers causal language model, its tokenizer, and what it says of given responses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from tvo_cli.errors import UserError
from tvo_cli.maths.nucleus import Nucleus
from tvo_cli.model import chunked_logprobs
from tvo_cli.model.backbone import Head, predicting_states
from tvo_cli.model.encoding import encode
from tvo_cli.model.logprobs import Readings, Scores, chunked_covariance, chunked_readings, spread


@dataclass(slots=True)
class Policy:
    """π_θ(y_t | x, y_<t) and the tokens it is written in."""

    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    end_ids: frozenset[int]
    pad_id: int
    head: Head = field(init=False)

    def __post_init__(self) -> None:
        self.head = Head.of(self.network)

    def parameters(self) -> Iterator[nn.Parameter]:
        """The network's."""
        found: Iterator[nn.Parameter] = self.network.parameters()
        return found

    def encode(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Ids and mask [P, L] of prompts, left-padded; see model/encoding.py."""
        rows = encode(self.tokenizer, prompts)
        if [] in rows:
            raise UserError(
                "dataset", repr(prompts[rows.index([])]), "a prompt without a token.", "Drop empty questions."
            )
        width = max(map(len, rows))
        ids = torch.tensor([[self.pad_id] * (width - len(row)) + row for row in rows])
        mask = torch.arange(width) >= width - torch.tensor([[len(row)] for row in rows])
        device = next(self.parameters()).device
        return ids.to(device), mask.to(device)

    def score(
        self, prompt_ids: Tensor, prompt_mask: Tensor, response_ids: Tensor, mask: Tensor, temperature: float
    ) -> Scores:
        """log π, H and Σπ² of every response token at softmax(logits / temperature), each [B, T], differentiable.

        Prompts [B, L] are left-padded, responses [B, T] right-padded. The head sees only the positions that
        predict a token under `mask`. Temperature 0 is scored at 1, which is what the greedy sampler records.
        """
        return self.read(prompt_ids, prompt_mask, response_ids, mask, temperature, covariance=False).scores

    def read(
        self,
        prompt_ids: Tensor,
        prompt_mask: Tensor,
        response_ids: Tensor,
        mask: Tensor,
        temperature: float,
        *,
        covariance: bool,
        nucleus: Nucleus | None = None,
    ) -> Readings:
        """`score`, and at the same positions the entropy inside `nucleus` and Cov_π(π, log π), where asked for."""
        body = self.network.base_model if self.head.split else self.network
        hidden = predicting_states(body, prompt_ids, prompt_mask, response_ids, mask)
        vocabulary, heat = int(self.network.config.get_text_config().vocab_size), temperature or 1.0
        if nucleus is None and chunked_logprobs.suits(self.head, hidden):
            found = chunked_logprobs.head_readings(self.head, hidden, response_ids[mask], heat)
        else:
            found = chunked_readings(self.head, hidden, response_ids[mask], heat, vocabulary, nucleus=nucleus)
        columns = [spread(values, mask) for values in found]
        more = spread(chunked_covariance(self.head, hidden, heat, vocabulary), mask) if covariance else None
        return Readings(Scores(*columns[:3]), columns[3] if nucleus else None, more)

    def save(self, folder: Path) -> None:
        """Write the hub format: config, safetensors, tokenizer."""
        self.network.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
