"""A training step on paper: a model of 7.6 billion parameters on 8 and on 64 GPUs, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tvo_cli.memory.rank_memory import RankLayout
from tvo_cli.memory.step_costs import (
    H100,
    StepWork,
    batch_bytes,
    bytes_of_step,
    copy_bytes,
    decoding_seconds,
    exchanges_of_copies,
    microbatches_of_rank,
    scoring_flop,
    seconds_of_step,
    shard_bytes,
    speed_among,
    update_flop,
    waited_seconds,
)

LARGE = StepWork(  # 512 responses of 1,024 tokens after prompts of 200, the longest of 3,000; 2 epochs of 4 minibatches
    parameters=7_600_000_000,
    layers=28,
    cache_bytes=28 * 4 * 128 * 2 * 2,
    responses=512,
    prompt=200,
    response=1024,
    longest=3000,
    epochs=2,
    minibatches=4,
    microbatch_rows=8,
    scorings=2,
)
HOST = RankLayout(8, shards=8, sharded=True, gather_bytes=2)
FLAT = RankLayout(64, shards=64, sharded=True, gather_bytes=2)
GRID = RankLayout(64, shards=8, sharded=True, gather_bytes=2)


def test_updates_and_scoring_are_arithmetic_that_ranks_share() -> None:
    assert update_flop(LARGE) == pytest.approx(7.6e16, rel=0.01)
    assert scoring_flop(LARGE) == pytest.approx(1.9e16, rel=0.01)
    on_host, on_many = seconds_of_step(LARGE, HOST), seconds_of_step(LARGE, GRID)
    assert (round(on_host["updates"]), round(on_many["updates"])) == (24, 3)
    assert (round(on_host["scoring"]), round(on_many["scoring"], 2)) == (6, 0.74)
    kept = replace(LARGE, recomputed=False)
    assert update_flop(kept) / update_flop(LARGE) == 6 / 8, "without activations that are computed again"


@pytest.mark.parametrize(("ranks", "served"), [(8, 16), (64, 14)])
def test_the_longest_response_takes_its_tokens_however_many_ranks_there_are(ranks: int, served: int) -> None:
    """15.2 GB of weights in 4.5 ms, and 0.8 or 0.1 ms of cache; the own loop starts 28 layers a token."""
    assert round(decoding_seconds(replace(LARGE, own_loop=False), ranks)) == served
    assert 75 <= decoding_seconds(LARGE, ranks) <= 90
    large = replace(LARGE, own_loop=False, cache_bytes=0.0)
    assert decoding_seconds(large, ranks) / LARGE.longest == pytest.approx(4.5e-3, rel=0.01)


@pytest.mark.parametrize(("layout", "gigabytes"), [(HOST, 53), (FLAT, 60), (GRID, 53)])
def test_a_micro_batch_gathers_the_weights_twice_and_scatters_their_gradient(
    layout: RankLayout, gigabytes: int
) -> None:
    assert round(shard_bytes(LARGE, layout) / 1e9) == gigabytes
    kept = replace(layout, free_layers=False)
    assert shard_bytes(LARGE, kept) / shard_bytes(LARGE, layout) == (2 + 4) / (2 + 2 + 4)
    assert shard_bytes(LARGE, RankLayout(8)) == 0 == shard_bytes(LARGE, replace(layout, ranks=1, shards=1))


def test_shards_hide_behind_arithmetic_within_a_host_and_bound_it_between_hosts() -> None:
    travelling = [shard_bytes(LARGE, one) / speed_among(one.shards, H100) for one in (HOST, FLAT, GRID)]
    assert [round(seconds, 2) for seconds in travelling] == [0.18, 1.2, 0.18]
    passes = [8 * microbatches_of_rank(LARGE, one.ranks) for one in (HOST, FLAT)]
    assert passes == [16, 8]
    computing = [update_flop(LARGE) / one.ranks / H100.flops / n for one, n in zip((HOST, FLAT), passes, strict=True)]
    assert [round(seconds, 1) for seconds in computing] == [1.5, 0.4]
    assert waited_seconds(LARGE, HOST) == 0
    assert waited_seconds(LARGE, FLAT) == pytest.approx(8 * (travelling[1] - computing[1]))
    assert (
        seconds_of_step(replace(LARGE, own_loop=False), FLAT)["network"] > 2 * seconds_of_step(LARGE, FLAT)["updates"]
    )


def test_copies_exchange_the_gradient_of_a_share() -> None:
    """3.8 GB of it, twice around a ring of 8: 6.7 GB, 0.13 s between hosts."""
    assert copy_bytes(LARGE, GRID) == pytest.approx(2 * 7 / 8 * 4 * 7.6e9 / 8)
    assert round(copy_bytes(LARGE, GRID) / speed_among(64, H100), 2) == 0.13
    assert waited_seconds(LARGE, GRID) == pytest.approx(exchanges_of_copies(LARGE, GRID) * 0.133, rel=0.01)
    assert copy_bytes(LARGE, HOST) == 0


def test_replicas_exchange_the_whole_gradient_once_a_minibatch() -> None:
    replicas = RankLayout(8)
    assert exchanges_of_copies(replace(LARGE, microbatch_rows=1), replicas) == 8
    assert exchanges_of_copies(replace(LARGE, microbatch_rows=1), replace(GRID, ranks=16)) == 8 * 8
    assert bytes_of_step(LARGE, replicas) == pytest.approx(
        {"gradients": 8 * 2 * 7 / 8 * 4 * 7.6e9, "batch": batch_bytes(LARGE)}
    )


@pytest.mark.parametrize("layout", [HOST, GRID, RankLayout(8)])
def test_an_adapters_gradient_alone_goes_around_all_ranks_once_a_minibatch(layout: RankLayout) -> None:
    lora = replace(LARGE, adapter=80_000_000)
    around = 2 * (layout.ranks - 1) / layout.ranks * 4 * 80e6
    assert exchanges_of_copies(lora, layout) * copy_bytes(lora, layout) == pytest.approx(8 * around)
    assert shard_bytes(LARGE, layout) - shard_bytes(lora, layout) == pytest.approx(
        (layout.shards - 1) / layout.shards * 4 * 7.6e9
    )
    assert update_flop(lora) / update_flop(LARGE) == 6 / 8


def test_what_a_rank_receives_is_told_by_purpose() -> None:
    found = bytes_of_step(LARGE, HOST)
    weights = 7 / 8 * 2 * 7.6e9
    assert found["weights to sample with"] == weights
    assert found["shards"] == pytest.approx(16 * shard_bytes(LARGE, HOST) + 2 * weights)
    assert round(found["batch"] / 1e6) == 13 and "gradients" not in found
    assert bytes_of_step(LARGE, RankLayout(1)) == {}
