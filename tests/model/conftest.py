"""Random little networks of several architectures, and a batch with padding on both sides."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from tests.rollout.full_fp32 import quick_anywhere as quick_anywhere
from tvo_cli.model import Policy
from tvo_cli.model.tiny import tiny_network, tiny_tokenizer


@pytest.fixture
def policy() -> Policy:
    """An untrained tiny policy whose distributions are far from uniform."""
    tokenizer = tiny_tokenizer()
    network = tiny_network(tokenizer, seed=3).eval()
    with torch.no_grad():
        network.lm_head.weight.mul_(4.0)
    return Policy(network, tokenizer, frozenset({tokenizer.eos_token_id}), tokenizer.pad_token_id)


@pytest.fixture
def rows() -> SimpleNamespace:
    """Prompts of 3, 6 and 4 tokens, responses of 5, 2 and 4, padded to 6 and 5."""
    rng = torch.Generator().manual_seed(1)
    prompt_mask = torch.arange(6) >= 6 - torch.tensor([[3], [6], [4]])
    mask = torch.arange(5) < torch.tensor([[5], [2], [4]])
    prompt_ids = torch.randint(4, 40, (3, 6), generator=rng) * prompt_mask
    response_ids = torch.randint(4, 40, (3, 5), generator=rng) * mask
    return SimpleNamespace(prompt_ids=prompt_ids, prompt_mask=prompt_mask, response_ids=response_ids, mask=mask)
