"""PPO's critic: a backbone of its own and one number a position."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from tvo_cli.maths.masked import scatter_to_mask
from tvo_cli.model.hidden_states import predicting_states
from tvo_cli.model.policy import Policy


class Critic(nn.Module):
    """V(s_t) of the state before response token t; starts from the policy's backbone and a head of zeros."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.body = copy.deepcopy(policy.network.base_model).requires_grad_(True)
        reference = next(self.body.parameters())
        width = int(policy.network.config.get_text_config().hidden_size)
        self.head = nn.Linear(width, 1, device=reference.device, dtype=torch.float32)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def values(self, prompt_ids: Tensor, prompt_mask: Tensor, response_ids: Tensor, mask: Tensor) -> Tensor:
        """[B, T], 0 off the mask, differentiable."""
        hidden = predicting_states(self.body, prompt_ids, prompt_mask, response_ids, mask)
        with torch.autocast(hidden.device.type, enabled=False):  # a value in bfloat16 would have two digits
            found = self.head(hidden.float())
        return scatter_to_mask(found.squeeze(-1), mask)
