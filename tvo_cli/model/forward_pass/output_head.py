"""The output head that turns hidden states into the logits of tokens, as the architecture itself would."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeGuard

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tvo_cli.model.decodable_tokens import EVERY_TOKEN, DecodableTokens


def is_plain_linear(module: object) -> TypeGuard[nn.Linear]:
    """Whether an output head or layer is nothing but its weight and bias: no adapter, no quantised weight, no hook."""
    if type(module) is not nn.Linear:
        return False
    return not (module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module))


@dataclass(frozen=True)
class OutputHead:
    """Hidden states [N, H] → logits [N, V] of the decodable tokens, as the architecture itself would compute them.

    `split` is False where backbone and output embedding do not reproduce the network's own logits (an
    architecture with more between the two than a scale and a soft cap): then the "hidden states" are the full
    logits of the network, and this only cuts them: correct, only dearer.
    """

    project: nn.Module | None
    scale: float = 1.0
    cap: float | None = None
    decodable: DecodableTokens = EVERY_TOKEN

    @property
    def split(self) -> bool:
        """Whether backbone and head can be run apart."""
        return self.project is not None

    def __call__(self, hidden: Tensor) -> Tensor:
        """Logits [N, V] of hidden states [N, H]."""
        if self.project is None:
            return self.decodable.cut(hidden)
        logits = self.decodable.cut(self.project(hidden))
        if self.scale != 1.0:
            logits = logits * self.scale
        return logits if self.cap is None else torch.tanh(logits / self.cap) * self.cap

    @classmethod
    def of(cls, network: PreTrainedModel, decodable: DecodableTokens | None = None) -> OutputHead:
        """The head of a network, checked once against the network's own logits on a few tokens."""
        return replace(cls._of_all_logits(network), decodable=decodable or EVERY_TOKEN)

    @classmethod
    def _of_all_logits(cls, network: PreTrainedModel) -> OutputHead:
        config, project = network.config.get_text_config(), network.get_output_embeddings()
        if project is None or network.base_model is network:
            return cls(None)
        scale = getattr(config, "logit_scale", None) or 1.0 / (getattr(config, "logits_scaling", None) or 1.0)
        head = cls(project, float(scale), getattr(config, "final_logit_softcapping", None))
        return head if _reproduces_network_logits(head, network) else cls(None)


@torch.no_grad()
def _reproduces_network_logits(head: OutputHead, network: PreTrainedModel) -> bool:
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
