"""What the layers of a network hold of given tokens: the entropy of each layer's own policy, pooled representations."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tvo_cli.model.forward_pass.forward_inputs_and_outputs import accepted_arguments, token_positions
from tvo_cli.model.policy import Policy

CHUNK = 64 * 2**20  # bytes of a layer's logits in float32 that are held at once, three times over
FLOAT = 4


@torch.no_grad()
def layer_entropies(
    policy: Policy, prompt_ids: Tensor, prompt_mask: Tensor, response_ids: Tensor, mask: Tensor, temperature: float
) -> list[float]:
    """Mean H[softmax(E_u·h_k/τ)] over response tokens, in nats, of each layer k = 1 … K.

    h_k is the residual stream behind layer k as it is, without the final norm; of the last layer, with it: that one is
    the policy. Tan et al. 2025, arXiv:2512.19673. States of small norm give nearly log V.

    Fidelity: official code (read, not run: what BuPO's makes of a block's states).

    Prompts [P, L] are left-padded, responses [P, T] right-padded, `mask` bool [P, T].
    """
    states = _states_of_layers(policy, torch.cat([prompt_ids, response_ids], 1), torch.cat([prompt_mask, mask], 1))
    first = prompt_ids.shape[1] - 1
    return [_mean_entropy(policy, layer[:, first:-1][mask], temperature) for layer in states[1:]]


@torch.no_grad()
def pooled_states(policy: Policy, ids: Tensor, mask: Tensor) -> Tensor:
    """The mean last hidden state over the tokens of each row of [P, L], [P, H]."""
    last = _states_of_layers(policy, ids, mask)[-1]
    weights = mask[..., None].to(last.dtype)
    return (last * weights).sum(1) / weights.sum(1)


def _states_of_layers(policy: Policy, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
    """Hidden states [P, L, H]: the embeddings, then each layer's."""
    arguments: dict[str, Any] = {"use_cache": False, "output_hidden_states": True}
    arguments |= {"attention_mask": mask.long(), "position_ids": token_positions(mask)}
    body = policy.network.base_model
    return tuple(body(input_ids=ids, **accepted_arguments(body.forward, arguments)).hidden_states)


def _mean_entropy(policy: Policy, states: Tensor, temperature: float) -> float:
    """The mean entropy of the policy that a layer's states would have, in nats, a chunk of logits at a time."""
    total, vocabulary = 0.0, int(policy.network.get_output_embeddings().weight.shape[0])
    for part in states.split(max(1, CHUNK // (FLOAT * vocabulary))):
        logp = (policy.head(part).float() / temperature).log_softmax(-1)
        total -= float((logp.exp() * logp).sum())
    return total / max(len(states), 1)
