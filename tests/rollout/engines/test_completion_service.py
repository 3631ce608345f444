"""Sampling by servers: which of them is asked, and with which seed."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

from tvo_cli.rollout.decoding.token_sampling import SamplingParams
from tvo_cli.rollout.engines.completion_service import CompletionService, replica_of, request_seed
from tvo_cli.rollout.server_client import ServerCall
from tvo_cli.rollout.server_completion import ServedTokens, ServedVocabulary


def test_seeds_and_replicas_follow_from_the_key_alone() -> None:
    seeds = {request_seed(1, f"{step}/p{p}", g) for step in range(3) for p in range(20) for g in range(8)}
    assert len(seeds) == 480 and all(0 <= seed < 2**31 for seed in seeds)
    assert request_seed(1, "a", 0) != request_seed(2, "a", 0)
    urls = ["http://a", "http://b", "http://c"]
    dealt = Counter(replica_of(f"p{i}", urls) for i in range(300))
    assert min(dealt.values()) > 70 and replica_of("p1", urls) == replica_of("p1", urls)


SAMPLED = [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("a", 2), ("a", 3)]  # two of each of three prompts
TOKENS = ServedTokens(object(), ServedVocabulary(4, frozenset(), frozenset({0}), 4))


def test_prompts_of_one_key_are_asked_for_with_the_seeds_of_its_samples() -> None:
    asked = list[ServerCall]()
    client: Any = SimpleNamespace(urls=("http://a",), run=lambda calls, receive: asked.extend(calls))
    service = CompletionService(client, "policy")
    service.complete([[1]] * 3, "aba", SamplingParams(2, 4), 9, TOKENS, lambda row, answer: None)
    assert [(call.body or {})["seed"] for call in asked] == [request_seed(9, *one) for one in SAMPLED]
    assert [call.about for call in asked] == [f"response {sample} to {key}" for key, sample in SAMPLED]
