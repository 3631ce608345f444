"""Policies: load, score, freeze, criticise; and the tiny embedded one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tvo_cli.model.critic import Critic
    from tvo_cli.model.forward_pass.logprobs import Scores
    from tvo_cli.model.loading.policy_loading import load_policy
    from tvo_cli.model.policy import Policy
    from tvo_cli.model.reference_policy import clone_frozen

__all__ = ["Critic", "Policy", "Scores", "clone_frozen", "load_policy"]
MODULES = {
    **{"Critic": "critic", "Policy": "policy", "Scores": "forward_pass.logprobs"},
    **{"clone_frozen": "reference_policy", "load_policy": "loading.policy_loading"},
}


def __getattr__(name: str) -> Any:
    """Loaded when asked for: counting parameters needs neither torch nor transformers."""
    if name not in MODULES:
        raise AttributeError(name)
    return getattr(import_module(f"tvo_cli.model.{MODULES[name]}"), name)
