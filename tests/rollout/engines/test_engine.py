"""The own loop as the engine of an evaluation: its cache's bytes bound the rows, completions come as they end."""

from __future__ import annotations

import pytest

from tests.decoded_rows import note_rows_of_each_step
from tests.rollout.conftest import KEYS, PROMPTS, SAMPLING
from tvo_cli.memory.kv_cache_size import AHEAD
from tvo_cli.model import Policy
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.engines.engine import Completion, LocalEngine


def bytes_of_row(policy: Policy, tokens: int) -> int:
    """Keys and values in float32, of so many tokens and of those that a cache has ahead."""
    shape = policy.network.config
    heads, width = shape.num_key_value_heads, shape.hidden_size // shape.num_attention_heads
    return int(4 * 2 * shape.num_hidden_layers * heads * width * (tokens + AHEAD))


def test_no_more_rows_are_decoded_at_once_than_the_bytes_of_its_cache_hold(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts, keys = ["7 + 3 ="] * 8, list("abcdefgh")
    row = bytes_of_row(policy, policy.encode(prompts)[0].shape[1] + 6)
    rows, texts = note_rows_of_each_step(monkeypatch), []
    for size, most in ((0.0, 8), (5.0 * row, 5), (1.0, 1)):
        rows.clear()
        texts.append(LocalEngine(policy, size)(prompts, keys, SamplingParams(1, 6), seed=0))
        assert max(rows) == most
    assert texts[0] == texts[1] == texts[2]


def test_each_completion_is_reported_at_the_step_that_ends_it(skewed: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first token is of the prompt's own forward: a completion of n tokens is over after n − 1 steps."""
    steps, reported, taken = note_rows_of_each_step(monkeypatch), dict[tuple[int, int], Completion](), list[int]()

    def report(prompt: int, sample: int, completion: Completion) -> None:
        reported[prompt, sample] = completion
        taken.append(len(steps))

    found = LocalEngine(skewed)(PROMPTS, KEYS, SAMPLING, 7, report)
    assert reported == {(p, g): one for p, group in enumerate(found) for g, one in enumerate(group)}
    assert taken == [completion.tokens - 1 for completion in reported.values()]
    assert len(set(taken)) > 3, "some end soon, some never"
