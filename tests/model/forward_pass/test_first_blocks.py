"""The first blocks of a backbone: the state after each, the policy that it speaks, and what its gradient reaches."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.model.conftest import architectures, packing_families, without_dropout
from tvo_cli.model import Policy
from tvo_cli.model.forward_pass.first_blocks import NoBlocks, block_count, first_blocks

ARCHITECTURES = architectures() | packing_families()


def transformers_own(network: Any, ids: Tensor, block: int) -> Tensor:
    """h_k, kept by transformers itself: entry 0 is the embeddings; the last one has been through the final norm."""
    found: Tensor = network.base_model(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states[block]
    return found


def test_log_probabilities_of_an_inner_block(policy: Policy) -> None:
    """softmax(W_out h_1/τ) of states that transformers keeps, at τ = 0.8."""
    network = policy.network
    policy.internal_body = first_blocks(policy.body, 1)
    prompt, response = torch.tensor([[4, 5, 6]]), torch.tensor([[7, 8]])
    seen, mask = torch.ones(1, 3, dtype=torch.bool), torch.ones(1, 2, dtype=torch.bool)
    logits = network.lm_head(transformers_own(network, torch.cat([prompt, response], 1), 1)) / 0.8
    expected = torch.log_softmax(logits[0, 2:4], -1)[torch.arange(2), response[0]]
    found = policy.read(prompt, seen, response, mask, 0.8, covariance=False, internal=True).scores
    torch.testing.assert_close(found.logp[0], expected)
    whole = policy.read(prompt, seen, response, mask, 0.8, covariance=False).scores.logp
    assert (whole - found.logp).abs().max() > 0.1


def test_only_the_blocks_below_and_the_embeddings_get_a_gradient(policy: Policy) -> None:
    policy.internal_body = first_blocks(policy.body, 1)
    ones = torch.ones(1, 3, dtype=torch.bool)
    ids = torch.tensor([[4, 5, 6]])
    policy.read(ids, ones, ids, ones, 1.0, covariance=False, internal=True).scores.logp.sum().backward()
    named = {name for name, parameter in policy.network.named_parameters() if parameter.grad is None}
    assert named == {
        name for name, _ in policy.network.named_parameters() if "layers.1." in name or "model.norm" in name
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_architecture_is_cut_where_its_own_state_is(name: str) -> None:
    network = without_dropout(ARCHITECTURES[name])
    assert block_count(network.base_model) == 2
    ids = torch.arange(5)[None] + 3
    found = first_blocks(network.base_model, 1)(input_ids=ids, use_cache=False).last_hidden_state
    torch.testing.assert_close(found, transformers_own(network, ids, 1), rtol=0, atol=0)


def test_a_network_without_a_plain_list_of_blocks_or_a_known_norm_is_refused(policy: Policy) -> None:
    with pytest.raises(NoBlocks, match="plain list"):
        block_count(nn.Linear(2, 2))
    del policy.body.norm
    with pytest.raises(NoBlocks, match="final norm"):
        first_blocks(policy.body, 1)


def test_a_backbone_whose_blocks_do_not_stand_alone_is_refused(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does something to the states between the blocks, which no block knows of."""
    forward = type(policy.body).forward

    def scaling(body: Any, *given: Any, **named: Any) -> Any:
        found = forward(body, *given, **named)
        found.last_hidden_state = found.last_hidden_state * 2
        return found

    monkeypatch.setattr(type(policy.body), "forward", scaling)
    with pytest.raises(NoBlocks, match="states"):
        first_blocks(policy.body, 1)
