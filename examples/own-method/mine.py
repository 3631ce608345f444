"""An algorithm of one function: GRPO whose sure tokens learn less."""

import torch

import tvo_cli as tvo
from tvo_cli.types import Tokens


@tvo.register.algorithm("gentle", piece="weight", start="grpo")
def gentle(tokens: Tokens, *, floor: float = 0.2) -> torch.Tensor:
    """GRPO: a token's weight falls with its own probability, from 1 to `floor`, [B, T]."""
    sure = tokens.logp.detach().exp()
    return torch.where(tokens.mask, 1.0 - (1.0 - floor) * sure, 0.0)
