"""The frozen reference policy that divergences are measured from, and copies that share what is frozen."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn

from tvo_cli.model.policy import Policy

M = TypeVar("M", bound=nn.Module)


def clone_frozen(policy: Policy) -> Policy:
    """A copy of the policy as it is now, without gradients; of frozen weights there is no second copy."""
    network = copy_sharing_frozen(policy.network).requires_grad_(False).eval()
    return Policy(network, policy.tokenizer, policy.end_ids, policy.pad_id)


def copy_sharing_frozen(module: M) -> M:
    """A copy of the modules, in which every frozen parameter is the same tensor as before: it takes no memory."""
    shared = {id(parameter): parameter for parameter in module.parameters() if not parameter.requires_grad}
    return copy.deepcopy(module, shared)
