"""Policies: load, score, freeze, criticise; and the tiny embedded one."""

from tvo_cli.model.critic import Critic
from tvo_cli.model.loading import load_policy
from tvo_cli.model.policy import Policy
from tvo_cli.model.reference import clone_frozen
from tvo_cli.model.scores import Scores

__all__ = ["Critic", "Policy", "Scores", "clone_frozen", "load_policy"]
