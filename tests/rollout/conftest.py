"""The untrained tiny policy, sharpened so that it is neither uniform nor certain."""

from __future__ import annotations

import pytest
import torch

from tests.rollout.full_fp32 import quick_anywhere as quick_anywhere
from tvo_cli.model import Policy
from tvo_cli.model.tiny_model import tiny_network, tiny_tokenizer
from tvo_cli.rollout import SamplingParams

# Four lengths, so that batches are left-padded; sorting them is a cycle, which is not its own inverse.
PROMPTS = ("1 + 1 =", "5 * 5 - 2 =", "0 =", "7 + 3 * 12 - 4 * 2 + 9 =")
KEYS = ("a", "b", "c", "d")
SAMPLING = SamplingParams(samples=6, max_tokens=12)


@pytest.fixture(scope="module")
def policy() -> Policy:
    tokenizer = tiny_tokenizer()
    network = tiny_network(tokenizer, seed=3).eval()
    with torch.no_grad():
        network.lm_head.weight.mul_(3.0)
        network.lm_head.weight[tokenizer.eos_token_id] += 0.15  # some rows end early
    return Policy(network, tokenizer, frozenset({tokenizer.eos_token_id}), tokenizer.pad_token_id)
