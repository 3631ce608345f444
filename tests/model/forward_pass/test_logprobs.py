"""log π, H and Σπ² against full float64 logits, row by row and without padding."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    Qwen2Config,
    Qwen2ForCausalLM,
)

from tests.gradients import gradient, gradients
from tests.model.conftest import SMALL, architectures
from tvo_cli.model import Policy
from tvo_cli.model.forward_pass.gradient_checkpointing import enable_gradient_checkpointing
from tvo_cli.model.forward_pass.logprobs import (
    chunked_covariance_with_logprobs,
    chunked_token_scores,
    covariance_of_prob_and_logprob,
    token_scores,
)
from tvo_cli.model.forward_pass.output_head import OutputHead


def naive(network: Any, rows: Any, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    """The three readings from full float64 logits of each row alone, without any padding."""
    out = [torch.zeros(rows.mask.shape, dtype=torch.float64) for _ in range(3)]
    for row in range(len(rows.mask)):
        prompt = rows.prompt_ids[row][rows.prompt_mask[row]]
        response = rows.response_ids[row][rows.mask[row]]
        logits = network(input_ids=torch.cat([prompt, response])[None]).logits[0]
        pi = torch.softmax(logits[len(prompt) - 1 : -1] / temperature, dim=-1)
        for t, token in enumerate(response.tolist()):
            out[0][row, t] = pi[t, token].log()
            out[1][row, t] = sum(-p * p.log() for p in pi[t])
            out[2][row, t] = sum(p * p for p in pi[t])
    return out[0], out[1], out[2]


def as_policy(network: Any, like: Policy) -> Policy:
    return Policy(network.eval(), like.tokenizer, like.end_ids, like.pad_id)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_values_and_gradients_agree_with_full_float64_logits(
    policy: Policy, rows: SimpleNamespace, temperature: float
) -> None:
    found = policy.score(**vars(rows), temperature=temperature)
    exact = copy.deepcopy(policy.network).double()
    weights = [torch.randn(rows.mask.shape, generator=torch.Generator().manual_seed(i)) for i in range(3)]
    expected = naive(exact, rows, temperature)
    for mine, theirs in zip(found, expected):
        assert mine.dtype == torch.float32
        torch.testing.assert_close(mine.double(), theirs, rtol=0, atol=1e-5)
    for i in range(3):  # each reading alone, so that an error in one cannot hide behind the others
        policy.network.zero_grad()
        exact.zero_grad()
        (policy.score(**vars(rows), temperature=temperature)[i] * weights[i]).sum().backward()
        (naive(exact, rows, temperature)[i] * weights[i]).sum().backward()
        for (name, mine), theirs in zip(policy.network.named_parameters(), exact.parameters()):
            scale = float(theirs.grad.abs().max()) + 1e-6
            torch.testing.assert_close(mine.grad.double() / scale, theirs.grad / scale, rtol=0, atol=2e-5, msg=name)


@pytest.mark.parametrize("name", list(architectures()))
def test_every_architecture_is_scored_as_its_own_logits_say(name: str, policy: Policy, rows: SimpleNamespace) -> None:
    torch.manual_seed(0)
    other = as_policy(architectures()[name](), policy)
    assert other.head.split
    found = other.score(**vars(rows), temperature=1.0)
    for mine, theirs in zip(found, naive(copy.deepcopy(other.network).double(), rows, 1.0)):
        torch.testing.assert_close(mine.double(), theirs, rtol=0, atol=3e-5)


def test_a_head_that_disagrees_with_the_network_falls_back_to_its_logits(policy: Policy, rows: SimpleNamespace) -> None:
    class Odd(Qwen2ForCausalLM):  # type: ignore[misc]
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            outputs = super().forward(*args, **kwargs)
            outputs.logits = 2.0 * outputs.logits - 0.1 * outputs.logits.square()
            return outputs

    torch.manual_seed(0)
    other = as_policy(Odd(Qwen2Config(**SMALL)), policy)
    assert not other.head.split
    found = other.score(**vars(rows), temperature=1.0)
    for mine, theirs in zip(found, naive(copy.deepcopy(other.network).double(), rows, 1.0)):
        torch.testing.assert_close(mine.double(), theirs, rtol=0, atol=3e-5)


def test_left_padding_is_no_padding(policy: Policy, rows: SimpleNamespace) -> None:
    whole = policy.score(**vars(rows), temperature=1.0)
    for row in range(3):
        prompt = rows.prompt_ids[row][rows.prompt_mask[row]][None]
        alone = policy.score(
            prompt, torch.ones_like(prompt, dtype=torch.bool), rows.response_ids[row : row + 1],
            rows.mask[row : row + 1], 1.0,
        )  # fmt: skip
        for one, all_rows in zip(alone, whole):
            torch.testing.assert_close(one[0], all_rows[row], rtol=0, atol=1e-5)


def test_what_stands_on_padding_changes_nothing(policy: Policy, rows: SimpleNamespace) -> None:
    before = policy.score(**vars(rows), temperature=1.0)
    rows.prompt_ids = torch.where(rows.prompt_mask, rows.prompt_ids, 17)
    rows.response_ids = torch.where(rows.mask, rows.response_ids, 23)
    for clean, garbage in zip(before, policy.score(**vars(rows), temperature=1.0)):
        torch.testing.assert_close(clean, garbage, rtol=0, atol=1e-6)
        assert (garbage[~rows.mask] == 0).all()


def test_chunks_change_neither_values_nor_gradients() -> None:
    rng = torch.Generator().manual_seed(0)
    hidden = torch.randn(23, 8, generator=rng, dtype=torch.float32, requires_grad=True)
    head, targets = torch.nn.Linear(8, 50, bias=False), torch.randint(50, (23,), generator=rng)
    results = []
    for chunk_bytes in (2**20, 5 * 4 * 50):  # one chunk; five rows a chunk
        hidden.grad = head.weight.grad = None
        out = chunked_token_scores(head, hidden, targets, 0.7, 50, chunk_bytes)
        torch.stack([(i + 1) * x.sum() for i, x in enumerate(out)]).sum().backward()
        results.append([*out, *gradients((hidden, head.weight))])
    for whole, chunked in zip(*results):
        torch.testing.assert_close(whole, chunked, rtol=1e-5, atol=1e-5)


def test_logits_are_never_held_whole() -> None:
    """At V = 20,000 and 200 tokens full logits take 16 MB; nothing larger than a chunk may be saved."""
    sizes: list[int] = []
    head, hidden = torch.nn.Linear(4, 20_000, bias=False), torch.randn(200, 4, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda x: (sizes.append(x.numel()), x)[1], lambda x: x):
        out = chunked_token_scores(head, hidden, torch.zeros(200, dtype=torch.int64), 1.0, 20_000, 2**20)
    assert out[0].shape == (200,)
    assert max(sizes) * 4 <= 2**20


def test_closed_form_gradients_pass_gradcheck() -> None:
    logits = torch.randn(4, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    targets = torch.tensor([0, 3, 6, 3])
    assert torch.autograd.gradcheck(lambda z: token_scores(z, targets), (logits,))


def test_a_uniform_policy_has_entropy_log_v_and_a_certain_one_none() -> None:
    uniform = token_scores(torch.zeros(1, 8), torch.tensor([5]))
    assert [float(x) for x in uniform] == pytest.approx([-2.0794415, 2.0794415, 0.125], abs=1e-6)
    certain = torch.full((1, 8), -torch.inf)
    certain[0, 2] = 0.0
    certain.requires_grad_()
    out = token_scores(certain, torch.tensor([2]))
    assert [float(x.detach()) for x in out] == [0.0, 0.0, 1.0]
    torch.stack([x.sum() for x in out]).sum().backward()
    assert (gradient(certain) == 0).all()  # a masked logit must not turn into nan


def test_gradient_checkpointing_changes_nothing_and_really_happens(policy: Policy, rows: SimpleNamespace) -> None:
    plain = policy.score(**vars(rows), temperature=1.0)
    plain.logp.sum().backward()
    expected = gradients(policy.parameters())
    policy.network.zero_grad()
    enable_gradient_checkpointing(policy.network)
    calls: list[int] = []
    policy.network.model.layers[0].self_attn.register_forward_pre_hook(lambda *_: calls.append(1))
    policy.score(**vars(rows), temperature=1.0).logp.sum().backward()
    assert len(calls) == 2  # once forward, once again in the backward pass
    for mine, theirs in zip(policy.parameters(), expected):
        torch.testing.assert_close(mine.grad, theirs, rtol=1e-5, atol=1e-6)


def test_head_of_is_exact_for_the_tiny_model(policy: Policy) -> None:
    assert OutputHead.of(policy.network) == OutputHead(policy.network.lm_head, 1.0, None)


def test_the_covariance_of_probability_and_log_probability_is_that_of_the_full_distribution(
    policy: Policy, rows: SimpleNamespace
) -> None:
    """Σ π(π − E π)(log π − E log π) word by word in float64, and nothing on padding."""
    with torch.no_grad():
        scores, _, found = policy.read(**vars(rows), temperature=0.7, covariance=True)
        assert found is not None
        exact = copy.deepcopy(policy.network).double()
        for row in range(len(rows.mask)):
            prompt = rows.prompt_ids[row][rows.prompt_mask[row]]
            response = rows.response_ids[row][rows.mask[row]]
            logits = exact(input_ids=torch.cat([prompt, response])[None]).logits[0]
            for t, pi in enumerate(torch.softmax(logits[len(prompt) - 1 : -1] / 0.7, dim=-1)):
                mean, mean_log = sum(p * p for p in pi), sum(p * p.log() for p in pi)
                expected = sum(p * (p - mean) * (p.log() - mean_log) for p in pi)
                assert float(found[row, t]) == pytest.approx(float(expected), abs=2e-5)
    assert torch.equal(scores.logp, policy.score(**vars(rows), temperature=0.7).logp.detach())
    assert (found[~rows.mask] == 0).all() and not found.requires_grad


def test_the_covariance_at_the_ends_and_in_chunks() -> None:
    uniform, certain = torch.zeros(1, 5), torch.tensor([[0.0, -torch.inf, -torch.inf, -torch.inf, -torch.inf]])
    assert covariance_of_prob_and_logprob(uniform).item() == pytest.approx(0.0, abs=1e-7)
    assert covariance_of_prob_and_logprob(certain).item() == 0.0
    three = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64).log()
    assert covariance_of_prob_and_logprob(three).item() == pytest.approx(0.170808, abs=1e-6)
    logits = torch.randn(7, 11, generator=torch.Generator().manual_seed(0))
    chunked = chunked_covariance_with_logprobs(lambda x: x, logits, 1.0, 11, chunk_bytes=2 * 4 * 11)
    torch.testing.assert_close(chunked, covariance_of_prob_and_logprob(logits))
