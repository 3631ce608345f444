"""PPO's critic: a backbone of its own, or an adapter of its own beside the frozen one, and one number a position."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tvo_cli.checkpoint.sharded_parameters import place_each
from tvo_cli.checkpoint.tensor_slice import HeldTensor
from tvo_cli.maths.masked import scatter_to_mask
from tvo_cli.model.adapters.adapter import AdapterSettings, attach_adapter, has_adapter
from tvo_cli.model.forward_pass.hidden_states import predicting_states
from tvo_cli.model.policy import Policy
from tvo_cli.model.reference_policy import copy_sharing_frozen


class Critic(nn.Module):
    """V(s_t) of the state before response token t; starts from the policy's backbone and a head of zeros.

    With `adapter` the backbone is the policy's frozen one, and an adapter of the critic's own trains beside it.
    """

    def __init__(self, policy: Policy, adapter: AdapterSettings | None = None) -> None:
        super().__init__()
        self.body = copy_sharing_frozen(policy.network.base_model)
        if adapter is None:
            self.body.requires_grad_(True)
        else:
            attach_adapter(self.body, adapter)
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

    def trained_tensors(self) -> dict[str, Tensor]:
        """What training changes and a checkpoint holds, by the critic's own names."""
        if not has_adapter(self.body):
            return dict(self.state_dict())
        return {name: value for name, value in self.named_parameters() if value.requires_grad}

    def restore(self, tensors: Mapping[str, HeldTensor]) -> None:
        """Put `trained_tensors` back: whole, or the rows of those that are sharded."""
        if missing := self.trained_tensors().keys() ^ tensors.keys():
            raise KeyError(f"tensors of another critic: {sorted(missing)[:3]}")
        self.load_state_dict(place_each(tensors, self.state_dict()), strict=False)
