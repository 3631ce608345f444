"""The memory of one rank: what is shared out among how many, and what each gathers for a while."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tvo_cli.memory.adapter_size import AdapterSize
from tvo_cli.memory.memory_plan import plan_memory
from tvo_cli.memory.memory_request import MemoryRequest
from tvo_cli.memory.network_shape import NetworkShape
from tvo_cli.memory.rank_memory import BUCKET, RankLayout, plan_rank_memory, request_of_rank

P, E = 7_600_000_000, 545_000_000
SHAPE = NetworkShape(
    parameters=P,
    embedding=E,
    tied=False,
    layers=28,
    hidden=3584,
    intermediate=18944,
    queries=3584,
    keys=512,
    vocabulary=152_064,
)
ONE = MemoryRequest(
    shape=SHAPE,
    weight_itemsize=4,
    trained=P,
    optimizer_bytes=8.0,
    autocast=False,
    checkpointed=True,
    gpu=True,
    tiled=False,
    critic=False,
    samples=8,
    prompt=200,
    response=1024,
    reference=True,
    copies=1,
    microbatch_rows=64,
    critic_rows=64,
    scored_rows=64,
    generated_rows=512,
    evaluated_rows=100,
)
HOST = RankLayout(8, shards=8, sharded=True, gather_bytes=2)


def test_eight_ranks_hold_an_eighth_of_weights_gradients_moments_and_reference() -> None:
    """16 bytes a parameter and 4 of the reference: 152 GB in one process, 19 a rank."""
    alone, rank = plan_memory(ONE).standing, plan_rank_memory(ONE, HOST).standing
    assert sum(alone.values()) - alone["process"] == pytest.approx(20 * P)
    assert sum(rank.values()) - rank["process"] == pytest.approx(20 * P / 8)
    assert rank["process"] == alone["process"]


def test_the_recorder_copies_a_share_or_all_of_it_on_every_host() -> None:
    """91 GB a host of 8 shards, 730 of 8 replicas, an eighth of 91 of 64 shards."""
    each = [plan_rank_memory(ONE, layout).host["recorder"] * 8 for layout in (HOST, RankLayout(8))]
    assert [round(size / 1e9) for size in each] == [91, 730]
    many = RankLayout(64, shards=64, sharded=True)
    assert plan_rank_memory(ONE, many).host["recorder"] * 8 == pytest.approx(12 * P / 8)


def test_replicas_are_as_large_as_one_process_and_a_bucket_of_gradients() -> None:
    plan = plan_rank_memory(ONE, RankLayout(8))
    assert plan.peak == pytest.approx(plan_memory(ONE).peak + BUCKET)
    assert plan_rank_memory(ONE, RankLayout(1)) == plan_memory(ONE)


def test_a_draw_gathers_all_weights_and_an_update_two_layers_with_their_gradients() -> None:
    whole = plan_memory(ONE).phases
    found = plan_rank_memory(ONE, HOST).phases
    layer = (P - 2 * E) / 28
    assert found["generation"] - whole["generation"] == 2 * P
    assert found["update"] - whole["update"] == pytest.approx(2 * 2 * (2 * E + 2 * layer))
    assert found["scoring"] - whole["scoring"] == pytest.approx(2 * (2 * E + 2 * layer))
    kept = plan_rank_memory(ONE, replace(HOST, free_layers=False, gather_bytes=4)).phases
    assert kept["update"] - whole["update"] == pytest.approx(4 * (P + 2 * E + 2 * layer)), "all weights stay gathered"
    tied = replace(ONE, shape=replace(SHAPE, tied=True))
    assert plan_rank_memory(tied, HOST).phases["scoring"] - plan_memory(tied).phases["scoring"] == pytest.approx(
        2 * (E + 2 * (P - E) / 28)
    )


@pytest.mark.parametrize(("gather_bytes", "each"), [(2, 2), (4, 6)])
def test_autocast_copies_what_is_gathered_in_float32_and_nothing_else(gather_bytes: int, each: int) -> None:
    plain, cast = (replace(ONE, autocast=autocast, tiled=False) for autocast in (False, True))
    layout = replace(HOST, gather_bytes=gather_bytes)
    without = plan_memory(cast).phases["generation"] - 2 * P
    assert plan_rank_memory(cast, layout).phases["generation"] == pytest.approx(without + each * P)
    assert plan_rank_memory(plain, layout).standing == plan_rank_memory(cast, layout).standing


def test_a_group_of_one_that_offloads_has_one_whole_copy_on_the_gpu_and_the_rest_on_the_host() -> None:
    """30 GB for a draw and 122 GB of the host, without reference and recorder."""
    bare = replace(ONE, reference=False, copies=0)
    plan = plan_rank_memory(bare, RankLayout(1, sharded=True, offload=True))
    assert set(plan.standing) == {"process"} and round(sum(plan.host.values()) / 1e9) == 122
    assert round((plan.phases["generation"] - plan_memory(bare).phases["generation"]) / 1e9) == 30


def test_beside_an_adapter_the_frozen_weights_alone_are_shared_out() -> None:
    adapter = AdapterSize(parameters=80_000_000, inputs=0, outputs=0, dora=False)
    lora = replace(ONE, adapter=adapter, trained=80_000_000, weight_itemsize=2, reference=True)
    alone, rank = plan_memory(lora).standing, plan_rank_memory(lora, HOST).standing
    assert rank["weights"] == pytest.approx(80e6 * 4 + 2 * P / 8)
    assert (rank["gradients"], rank["optimiser"]) == (alone["gradients"], alone["optimiser"])


def test_a_rank_has_its_share_of_the_rows() -> None:
    found = request_of_rank(ONE, 8, minibatch=128, batch=512, evaluated=100)
    rows = (found.microbatch_rows, found.critic_rows, found.scored_rows, found.generated_rows, found.evaluated_rows)
    assert rows == (16, 16, 64, 64, 13)
    assert request_of_rank(ONE, 1, minibatch=128, batch=512, evaluated=100) == ONE
