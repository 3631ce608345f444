"""Layer entropies against the full softmax at each position; the last layer is the policy; padding is not seen."""

from __future__ import annotations

import pytest
import torch

from tvo_cli.model import Policy, layer_readings
from tvo_cli.model.layer_readings import layer_entropies, pooled_states


@pytest.fixture
def rows(policy: Policy) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two prompts of unequal length with responses of 3 and 2 tokens."""
    ids, seen = policy.encode(["1 + 2 =", "3 * 4 + 5 ="])
    return ids, seen, torch.tensor([[5, 6, 7], [8, 9, 0]]), torch.tensor([[True, True, True], [True, True, False]])


def test_each_layers_entropy_is_that_of_its_own_softmax(policy: Policy, rows: tuple[torch.Tensor, ...]) -> None:
    ids, seen, responses, mask = rows
    wanted = torch.zeros(2)
    for row in range(2):
        whole = torch.cat([ids[row][seen[row]], responses[row][mask[row]]])[None]
        out = policy.network(input_ids=whole, output_hidden_states=True)
        first, count = int(seen[row].sum()) - 1, int(mask[row].sum())
        for layer, state in enumerate(out.hidden_states[1:]):
            p = (state[0, first : first + count] @ policy.network.lm_head.weight.T / 0.7).softmax(-1)
            wanted[layer] -= (p * p.log()).sum()
    found = layer_entropies(policy, ids, seen, responses, mask, 0.7)
    assert found == pytest.approx((wanted / 5).tolist(), rel=1e-5) and found[0] > found[1]


def test_chunks_of_logits_do_not_change_them(
    policy: Policy, rows: tuple[torch.Tensor, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, seen, responses, mask = rows
    whole = layer_entropies(policy, ids, seen, responses, mask, 1.0)
    monkeypatch.setattr(layer_readings, "CHUNK", 1)  # one token at a time
    assert layer_entropies(policy, ids, seen, responses, mask, 1.0) == pytest.approx(whole, rel=1e-6)


def test_the_last_layer_is_the_policy(policy: Policy, rows: tuple[torch.Tensor, ...]) -> None:
    ids, seen, responses, mask = rows
    scores = policy.score(ids, seen, responses, mask, 1.0)
    assert layer_entropies(policy, ids, seen, responses, mask, 1.0)[-1] == pytest.approx(
        float(scores.entropy.detach()[mask].mean()), rel=1e-5
    )


def test_pooled_states_do_not_see_padding(policy: Policy) -> None:
    ids, seen = policy.encode(["1 + 2 =", "3 * 4 + 5 ="])
    alone = pooled_states(policy, *policy.encode(["1 + 2 ="]))
    assert torch.allclose(pooled_states(policy, ids, seen)[0], alone[0], atol=1e-5)
