"""The frozen reference policy that divergences are measured from."""

from __future__ import annotations

import copy

from tvo_cli.model.policy import Policy


def clone_frozen(policy: Policy) -> Policy:
    """A copy of the policy as it is now, without gradients."""
    network = copy.deepcopy(policy.network).requires_grad_(False).eval()
    return Policy(network, policy.tokenizer, policy.end_ids, policy.pad_id)
