"""Hidden states where the next token is predicted, and the head that turns them into logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tvo_cli.model import shared_prefix
from tvo_cli.model.forwards import accepted, positions, states, trimmed


@dataclass(frozen=True)
class Head:
    """Hidden states [N, H] → logits [N, V], as the architecture itself would compute them.

    `split` is False where backbone and output embedding do not reproduce the network's own logits (an
    architecture with more between the two than a scale and a soft cap): then the "hidden states" are the full
    logits of the network, and this is the identity: correct, only dearer.
    """

    project: nn.Module | None
    scale: float = 1.0
    cap: float | None = None

    @property
    def split(self) -> bool:
        """Whether backbone and head can be run apart."""
        return self.project is not None

    def __call__(self, hidden: Tensor) -> Tensor:
        """Logits [N, V] of hidden states [N, H]."""
        if self.project is None:
            return hidden
        logits: Tensor = self.project(hidden)
        if self.scale != 1.0:
            logits = logits * self.scale
        return logits if self.cap is None else torch.tanh(logits / self.cap) * self.cap

    @classmethod
    def of(cls, network: PreTrainedModel) -> Head:
        """The head of a network, checked once against the network's own logits on a few tokens."""
        config, project = network.config.get_text_config(), network.get_output_embeddings()
        if project is None or network.base_model is network:
            return cls(None)
        scale = getattr(config, "logit_scale", None) or 1.0 / (getattr(config, "logits_scaling", None) or 1.0)
        head = cls(project, float(scale), getattr(config, "final_logit_softcapping", None))
        return head if _reproduces(head, network) else cls(None)


@torch.no_grad()
def _reproduces(head: Head, network: PreTrainedModel) -> bool:
    device = next(network.parameters()).device
    probe = torch.arange(4, device=device)[None] % network.config.get_text_config().vocab_size
    was_training = network.training
    network.eval()
    full = network(input_ids=probe, use_cache=False).logits.float()
    parts = head(network.base_model(input_ids=probe, use_cache=False).last_hidden_state).float()
    network.train(was_training)
    if parts.shape != full.shape:
        return False
    tolerance = 1e-5 if next(network.parameters()).dtype == torch.float32 else 2e-2
    return bool((parts - full).abs().max() <= tolerance * full.abs().max().clamp(min=1.0))


def predicting_states(
    body: nn.Module, prompt_ids: Tensor, prompt_mask: Tensor, response_ids: Tensor, mask: Tensor
) -> Tensor:
    """[N, H]: the last hidden state at the position that predicts each True token of `mask`, in row order.

    A `body` that returns logits gives [N, V] instead. Left padding is invisible: masked from attention and not
    counted in positions. Right padding needs no mask, because a causal model never looks ahead. Rows whose prompt is
    the same share one forward of it, and responses of like length go together, where that pays (`prefixes`).
    """
    prompt_ids, prompt_mask = trimmed(prompt_ids, prompt_mask)
    if shared_prefix.is_worth_sharing(body, prompt_ids, prompt_mask, mask):
        return shared_prefix.predicting_states(body, prompt_ids, prompt_mask, response_ids, mask)
    seen = mask.any(0).nonzero()
    last = int(seen.max()) + 1 if len(seen) else 1
    ids = torch.cat([prompt_ids, response_ids[:, : last - 1]], dim=1)
    arguments: dict[str, Any] = {"use_cache": False}
    if not bool(prompt_mask.all()):
        attention = torch.cat([prompt_mask, prompt_mask.new_ones(len(ids), last - 1)], dim=1)
        arguments |= {"attention_mask": attention.long(), "position_ids": positions(attention)}
    if shared_prefix.recomputes(body):
        body.train(torch.is_grad_enabled())  # transformers checkpoints in training mode only; dropout is off
    outputs = body(input_ids=ids, **accepted(body.forward, arguments))
    return states(outputs)[:, prompt_ids.shape[1] - 1 :][mask[:, :last]]
