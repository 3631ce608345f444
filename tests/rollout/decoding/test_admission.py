"""When rows that wait join a batch: numbers worked by hand; and what all caches together then hold."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.memory import networks
from tests.rollout.families import sampled, sums
from tvo_cli.memory.kv_cache_size import AHEAD
from tvo_cli.model import Policy
from tvo_cli.model.tiny_model import tiny_tokenizer
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.decoding import admission, continuous_batching, decoding_network
from tvo_cli.rollout.decoding.admission import LAYER_BYTES, AdmissionRule

RULE = AdmissionRule(slots=10, columns=100, step_tokens=600.0, joins=True)


def test_a_fifth_of_the_slots_has_to_be_free() -> None:
    assert [RULE.is_due(living) for living in (10, 9, 8, 1)] == [False, False, True, True]
    assert not AdmissionRule(10, 100, 600.0, joins=False).is_due(1)


@pytest.mark.parametrize(
    ("living", "length", "prompts", "expected"),
    [
        (8, 40, [20, 10], True),  # 20 + 30 columns of nothing, seen by 10 rows: 500 of at most 2 × 600
        (8, 80, [20, 10], False),  # 130 × 10
        (8, 70, [10, 10], True),  # 120 × 10, just as much as is saved
        (8, 71, [10, 10], False),
        (8, 20, [20, 30], True),  # eight rows are padded by 10 columns, a new one too: 90 × 10
        (8, 20, [20, 40], False),  # 180 × 10
        (1, 80, [20], True),  # 60 × 2
        (1, 400, [20], False),
        (5, 30, [30], True),  # nothing is padded
    ],
)
def test_padding_has_to_cost_less_than_new_rows_save(
    living: int, length: int, prompts: list[int], expected: bool
) -> None:
    assert RULE.pays(living, length, prompts) is expected


def test_prompts_are_read_as_far_as_their_caches_fit_too() -> None:
    assert RULE.readable(10, 90, 20) == 4, "10 × 10 columns are free: five times 20 tokens, the last held on"
    assert RULE.readable(10, 100, 20) == RULE.readable(10, 98, 20) == 0
    assert RULE.readable(10, 96, 20) == 1
    assert RULE.readable(10, 50, 90) == 0, "rows are padded to the longest prompt: 10 × 10 are free"
    assert RULE.readable(2, 50, 90) == (10 * (100 + AHEAD) - 2 * (90 + AHEAD)) // 90 - 1


def policy_of_layers(layers: int, dtype: torch.dtype = torch.float32) -> Policy:
    network = networks.small_llama(layers=layers).to(dtype)
    return Policy(network, tiny_tokenizer(), frozenset({2}), 0)


@pytest.mark.parametrize(("dtype", "itemsize"), [(torch.float32, 4), (torch.bfloat16, 2)])
def test_what_a_step_costs_is_counted_in_tokens_of_the_cache(dtype: torch.dtype, itemsize: int) -> None:
    made = policy_of_layers(3, dtype)
    config = made.network.config
    each = 3 * 2 * config.num_key_value_heads * (config.hidden_size // config.num_attention_heads) * itemsize
    weights = sum(parameter.numel() for parameter in made.parameters()) * itemsize
    rule = AdmissionRule.of(made, 20, 64, SamplingParams(4, 30, batch_size=8))
    assert (rule.slots, rule.columns, rule.joins) == (8, 50, True)
    assert rule.step_tokens == pytest.approx((weights + 3 * LAYER_BYTES) / each)


def test_a_prompt_of_which_samples_wait_has_its_place_in_the_cache_where_some_must_wait() -> None:
    made = policy_of_layers(1)
    config = made.network.config
    each = 2 * config.num_key_value_heads * (config.hidden_size // config.num_attention_heads) * 4
    row = each * (20 + 30 + AHEAD)

    def slots(rows: int, size: float, samples: int = 4) -> int:
        return AdmissionRule.of(made, 20, rows, SamplingParams(samples, 30, batch_size=8, cache_bytes=size)).slots

    assert slots(4, 4.0 * row) == 4, "nothing waits"
    assert slots(8, 4.0 * row) == 3
    assert slots(8, 4.0 * row + 20 * each) == 4
    assert slots(8, 4.0 * row, samples=1) == 4, "no prompt has further samples"
    assert slots(64, 0.0) == 8
    assert slots(64, 1.0) == 1


class TokensInCaches:
    """Tokens that all caches hold together: at each step, and while prompts are read for a running batch."""

    def __init__(self) -> None:
        loop, network = continuous_batching.ContinuousBatching, decoding_network.DecodingNetwork
        self.found: list[int] = []
        self.running: list[Any] = []
        self.admit, self.decode, self.prefill, self.step = loop._admit, loop._decode, network.prefill, network.step

    def note(self, read: int, width: int) -> None:
        one, batch = self.running
        held = one.held.read.width if one.held else 0
        self.found.append(len(batch) * max(batch.state.length, width) + held + read * width)

    def admitting(self, loop: Any, batch: Any, count: int, steps: int) -> None:
        self.running[:] = [loop, batch]
        self.admit(loop, batch, count, steps)
        self.note(0, 0)

    def decoding(self, loop: Any, batch: Any) -> None:
        self.running[:] = [loop, batch]
        self.decode(loop, batch)
        self.running.clear()

    def reading(self, network: Any, ids: Any, mask: Any) -> Any:
        if self.running:
            self.note(*ids.shape)
        return self.prefill(network, ids, mask)

    def stepping(self, *given: Any) -> Any:
        self.note(0, 0)
        return self.step(*given)


@pytest.fixture
def cached(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of tokens in caches that a test's generation comes to."""
    seen = TokensInCaches()
    loop, network = continuous_batching.ContinuousBatching, decoding_network.DecodingNetwork
    monkeypatch.setattr(loop, "_admit", lambda *given: seen.admitting(*given))
    monkeypatch.setattr(loop, "_decode", lambda *given: seen.decoding(*given))
    monkeypatch.setattr(network, "prefill", lambda *given: seen.reading(*given))
    monkeypatch.setattr(network, "step", lambda *given: seen.stepping(*given))
    return seen.found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("looks", "tokens"),
    [(8, 16), *(pytest.param(*case, marks=pytest.mark.slow) for case in ((1, 16), (1, 6)))],
)
@pytest.mark.parametrize("samples", [1, 12])
def test_a_long_row_that_waits_does_not_break_the_bound_of_the_cache(
    policy: Policy,
    at_once: Any,
    admitted: list[int],
    cached: list[int],
    monkeypatch: Any,
    looks: int,
    tokens: int,
    samples: int,
) -> None:
    """Caches of rows and of prompts that are being read: what `slots` whole rows need, and the prompt that is held."""
    at_once(joins=True)
    monkeypatch.setattr(admission, "AHEAD", 0)
    monkeypatch.setattr(continuous_batching, "steps_between_looks", lambda device: looks)
    prompts = [*["1 + 1 ="] * 12, *sums(torch.Generator().manual_seed(5), 4), " + ".join("1234567891") + " ="]
    sampled(policy, prompts, SamplingParams(samples=samples, max_tokens=tokens, batch_size=6))
    longest = policy.encode(prompts)[0].shape[1]
    most = 6 * (longest + tokens) + longest * (samples > 1)
    assert admitted and 0.5 * most < max(cached) <= most
