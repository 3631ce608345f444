"""Rows that take the slots of finished ones: the same responses, each reported once, within the cache's bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import transformers
from packaging import version

from tests.rollout.conftest import SAMPLING
from tests.rollout.families import FAMILIES, network_of, policy_of, sampled, sums
from tests.slow_cases import mostly_slow
from tvo_cli.model import Policy
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.decoding import continuous_batching
from tvo_cli.rollout.decoding.cache_slots import has_slots
from tvo_cli.rollout.decoding.decoding_state import DecodingState
from tvo_cli.rollout.decoding.onednn import onednn_matmul
from tvo_cli.types import Rollout


def assert_same_responses(found: Rollout, expected: Rollout, tolerance: float = 1e-5) -> None:
    for name in ("response_ids", "mask", "finished"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name
    assert found.texts == expected.texts
    torch.testing.assert_close(found.logp, expected.logp, rtol=0, atol=tolerance)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("quick", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.parametrize("name", mostly_slow(FAMILIES, 4))
def test_every_family_gives_the_responses_of_one_large_batch(
    policy: Policy, quick_anywhere: None, at_once: Any, admitted: list[int], name: str, quick: bool
) -> None:
    """Over several rooms of a padded cache, with a window that has moved on; or batch after batch, where none joins."""
    if name == "mamba" and version.parse(transformers.__version__) < version.parse("5.10"):
        pytest.skip("seen with transformers 5.4: its Mamba answers otherwise in a batch of another size")
    small = policy_of(policy, name)
    prompts, sampling = sums(torch.Generator().manual_seed(1), 9), replace(SAMPLING, samples=3, max_tokens=20)
    expected = sampled(small, prompts, sampling)
    assert len(set(expected.mask.sum(1).tolist())) > 5 and not admitted
    at_once(joins=True)
    with onednn_matmul(small.network) if quick else torch.no_grad():
        found = sampled(small, prompts, replace(sampling, batch_size=5))
    assert_same_responses(found, expected, 2e-5)
    assert bool(admitted) == has_slots(small.network) == (name != "mamba")


def picker(rng: torch.Generator) -> Callable[..., Any]:
    """What picks one of its arguments at random."""
    return lambda *values: values[int(torch.randint(len(values), (1,), generator=rng))]


@pytest.mark.parametrize("trial", [*range(4), *(pytest.param(trial, marks=pytest.mark.slow) for trial in range(4, 24))])
def test_lengths_slots_stops_and_looks_cannot_be_seen(
    policy: Policy, at_once: Any, monkeypatch: pytest.MonkeyPatch, trial: int
) -> None:
    """Random prompts, sizes, stops, bounds of the cache, and how often rows are looked at, as on a GPU."""
    rng = torch.Generator().manual_seed(trial)
    pick = picker(rng)
    prompts = sums(rng, pick(1, 2, 7, 16))
    stop = pick((), ("7",), ("so 3", "="))
    sampling = SamplingParams(samples=pick(1, 3, 8), max_tokens=pick(1, 6, 14, 30), stop=stop, temperature=pick(0.7, 1))
    expected = sampled(policy, prompts, sampling)
    at_once(joins=trial % 6 > 0)
    monkeypatch.setattr(continuous_batching, "steps_between_looks", lambda device: pick(1, 3, 8))
    told: dict[int, tuple[str, int, bool]] = {}
    progress: list[tuple[int, int]] = []

    def note(row: int, *response: Any) -> None:
        assert row not in told
        told[row] = response

    few = replace(sampling, batch_size=pick(1, 2, 3, 8, 13), cache_bytes=pick(0.0, 4e5, 2e6))
    found = sampled(policy, prompts, few, report=note, progress=lambda *at: progress.append(at))
    assert_same_responses(found, expected)
    columns = (found.texts, found.mask.sum(1).tolist(), found.finished.tolist())
    assert told == dict(enumerate(zip(*columns, strict=True)))
    assert progress == sorted(progress) and progress[-1] == (len(found.texts), len(found.texts))


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Rows and columns of the cache before each token's step."""
    found: list[tuple[int, int]] = []
    step = DecodingState.step
    monkeypatch.setattr(
        DecodingState, "step", lambda self, *rest: (found.append((len(self.starts), self.length)), step(self, *rest))[1]
    )
    return found


@pytest.mark.slow
def test_slots_stay_full_until_none_waits(skewed: Policy, at_once: Any, steps: list[tuple[int, int]]) -> None:
    prompts = sums(torch.Generator().manual_seed(2), 12)
    sampling = replace(SAMPLING, samples=8, max_tokens=40, batch_size=8)
    at_once(joins=False)
    sampled(skewed, prompts, sampling)
    batches = len(steps)
    steps.clear()
    at_once(joins=True)
    found = sampled(skewed, prompts, sampling)
    tokens = int(found.mask.sum())
    assert len(steps) < 0.7 * batches
    assert max(rows for rows, _ in steps) == 8
    assert tokens / 8 <= len(steps) < tokens / 8 + 40, "full but for the last rows"


@pytest.mark.slow
def test_each_prompt_is_read_once_though_its_samples_join_one_by_one(skewed: Policy, at_once: Any) -> None:
    at_once(joins=True)
    read: list[int] = []
    hook = skewed.network.model.register_forward_pre_hook(
        lambda module, args, kwargs: read.append(len(kwargs["input_ids"]) if kwargs["input_ids"].shape[1] > 1 else 0),
        with_kwargs=True,
    )
    sampled(
        skewed, sums(torch.Generator().manual_seed(2), 5), replace(SAMPLING, samples=40, max_tokens=40, batch_size=16)
    )
    hook.remove()
    assert sum(read) == 5


def test_nothing_changes_where_nothing_waits(
    policy: Policy, steps: list[tuple[int, int]], at_once: Any, admitted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of one batch see the columns that they would see without all this, whatever prompts have ended."""
    monkeypatch.setattr(DecodingState, "shift", lambda self, columns: pytest.fail("no column may come or go"))
    prompts = sums(torch.Generator().manual_seed(2), 12)
    width = policy.encode(prompts)[0].shape[1]
    at_once(joins=True)
    sampled(policy, prompts, SAMPLING)
    assert [columns for _, columns in steps] == list(range(width, width + len(steps))) and not admitted


def test_an_interruption_leaves_what_was_reported_as_it_would_have_been(policy: Policy, at_once: Any) -> None:
    prompts, sampling = sums(torch.Generator().manual_seed(2), 12), replace(SAMPLING, samples=4, batch_size=8)
    whole, told = sampled(policy, prompts, sampling), dict[int, str]()

    def stop(row: int, text: str, count: int, ended: bool) -> None:
        if len(told) == 20:
            raise KeyboardInterrupt
        told[row] = text

    at_once(joins=True)
    with pytest.raises(KeyboardInterrupt):
        sampled(policy, prompts, sampling, report=stop)
    assert len(told) == 20 and all(whole.texts[row] == text for row, text in told.items())


@pytest.mark.slow
def test_the_order_of_work_follows_from_the_inputs_alone(
    policy: Policy, steps: list[tuple[int, int]], admitted: list[int]
) -> None:
    """No clock decides what joins when: a rollout is made again bit by bit."""
    prompts, sampling = sums(torch.Generator().manual_seed(2), 12), replace(SAMPLING, samples=4, batch_size=8)
    rollouts, shapes = [], []
    for _ in range(2):
        rollouts.append(sampled(policy, prompts, sampling))
        shapes.append((list(steps), list(admitted)))
        steps.clear(), admitted.clear()
    assert shapes[0] == shapes[1] and len(shapes[0][1]) > 2
    assert torch.equal(rollouts[0].logp, rollouts[1].logp)


def test_a_cache_in_chunks_or_with_a_state_has_no_slots() -> None:
    network = network_of("llama")
    assert has_slots(network) and not has_slots(network_of("mamba"))
    network.config.layer_types, network.config.attention_chunk_size = ["chunked_attention"] * 2, 8
    assert not has_slots(network)
