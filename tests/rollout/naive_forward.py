"""The oracle of every fast path: a forward of each row by itself."""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.model import Policy
from tvo_cli.types import Rollout


def scored_alone(policy: Policy, rollout: Rollout) -> Tensor:
    """log π of each response token by a forward of its own row, without padding, cache or fast path."""
    found = torch.zeros_like(rollout.logp)
    for row in range(len(rollout.mask)):
        prompt = rollout.prompt_ids[row][rollout.prompt_mask[row]]
        response = rollout.response_ids[row][rollout.mask[row]]
        logits = policy.network(input_ids=torch.cat([prompt, response])[None], use_cache=False).logits[0]
        chosen = logits[len(prompt) - 1 : -1].log_softmax(-1).gather(-1, response[:, None]).squeeze(-1)
        found[row, : len(response)] = chosen.detach().float()
    return found
