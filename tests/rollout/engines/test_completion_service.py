"""Sampling by servers: which of them is asked, and with which seed."""

from __future__ import annotations

from collections import Counter

from tvo_cli.rollout.engines.completion_service import replica_of, request_seed


def test_seeds_and_replicas_follow_from_the_key_alone() -> None:
    seeds = {request_seed(1, f"{step}/p{p}", g) for step in range(3) for p in range(20) for g in range(8)}
    assert len(seeds) == 480 and all(0 <= seed < 2**31 for seed in seeds)
    assert request_seed(1, "a", 0) != request_seed(2, "a", 0)
    urls = ["http://a", "http://b", "http://c"]
    dealt = Counter(replica_of(f"p{i}", urls) for i in range(300))
    assert min(dealt.values()) > 70 and replica_of("p1", urls) == replica_of("p1", urls)
