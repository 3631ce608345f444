"""The policy that samples in `tvo variance`, where it is another than the one whose gradient is measured."""

from __future__ import annotations

from omegaconf import DictConfig

from tvo_cli.errors import UserError
from tvo_cli.experiment.behaviour_location import node_of_behaviour, said_of_behaviour
from tvo_cli.model import Policy, load_policy
from tvo_cli.training.behaviour_policy import BehaviourPolicy


def build_behaviour(config: DictConfig, policy: Policy) -> BehaviourPolicy | None:
    """The weights of `behaviour` beside the policy; None: the policy samples itself.

    Raises:
        UserError: it is another network than the policy, or has another tokenizer or base.
    """
    if not config.behaviour:
        return None
    with said_of_behaviour():
        other = load_policy(node_of_behaviour(config), device=next(policy.parameters()).device)
    own, weights = policy.trained_tensors(), other.trained_tensors()
    same = {name: tensor.shape for name, tensor in own.items()} == {name: t.shape for name, t in weights.items()}
    if not same or policy.base != other.base or policy.tokenizer.get_vocab() != other.tokenizer.get_vocab():
        problem = f"is another network than model.path={config.model.path}, or has another tokenizer or base."
        raise UserError("behaviour", config.behaviour, problem, "Take policies of one run, or of one model.")
    return BehaviourPolicy(policy, weights)
