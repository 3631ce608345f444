"""Two ranks whose rollouts a server samples: one hands the weights over, both ask, and both know how it ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.parallel.conftest import EXACT, Pair, assert_bit_equal, rows_of, tensors_of
from tests.stand_in_server import COMPLETIONS, RELOAD, UPDATE, StandInServer, die_in_the_middle, refuse, serving, stale

FEW = (*EXACT, "rollout.samples=2", "trainer.microbatch_rows=2", "rollout.epochs=1")


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with serving() as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["replicate", "shard"])
def test_two_ranks_learn_what_one_process_learns(pair: Pair, server: StandInServer, strategy: str) -> None:
    words = (*FEW, "rollout=server", f"rollout.url={server.url}")
    both = pair.finished(f"served-{strategy}", *words, f"parallel={strategy}")
    asked, loaded = len(server.requests(COMPLETIONS)), len(server.requests(RELOAD))
    assert (asked, loaded) == (2 * (8 + 1), 2), "one rank exchanges and has the probe scored"
    one, two = tensors_of(pair.alone(*words)), tensors_of(both)
    far = max(float((one[name].double() - two[name].double()).abs().max()) for name in one)
    assert far <= (0.0 if strategy == "replicate" else 1e-5), "shards score the responses within rounding"
    assert [row["reward/mean"] for row in rows_of(both)] == [row["reward/mean"] for row in rows_of(pair.alone(*words))]


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["nccl", "ipc"])
@pytest.mark.parametrize("strategy", ["replicate", "shard"])
def test_one_rank_sends_what_all_have_put_together(
    pair: Pair, server: StandInServer, strategy: str, weights: str
) -> None:
    """From another process than the server's, by gloo and by a mapped file; the result is that of disk, to the bit."""
    words = (*FEW, "rollout=server", f"rollout.url={server.url}", f"parallel={strategy}")
    start = {name: tensor.clone() for name, tensor in server.policy.network.state_dict().items()}
    disk = tensors_of(pair.finished(f"disk-{strategy}-{weights}", *words))
    written = len(server.requests(RELOAD))
    server.policy.network.load_state_dict(start)
    sent = pair.finished(f"{weights}-{strategy}", *words, f"rollout.weights={weights}")
    assert_bit_equal(disk, tensors_of(sent))
    assert len(server.requests(UPDATE if weights == "nccl" else RELOAD)) == 2 + written * (weights == "ipc")
    assert [name for name, _, _ in server.receiver.order] == list(start), "whole tensors, in order, each once"
    assert [shape for _, _, shape in server.receiver.order] == [tuple(tensor.shape) for tensor in start.values()]


@pytest.mark.slow
def test_a_server_that_dies_while_it_receives_ends_both_ranks_with_the_same_line(
    pair: Pair, server: StandInServer
) -> None:
    server.faults[UPDATE] = [None, die_in_the_middle]
    words = (*FEW, "rollout=server", f"rollout.url={server.url}", "parallel=shard", "rollout.weights=nccl")
    _, outcomes = pair.train("dies", *words)
    assert [one["outcome"] for one in outcomes] == ["UserError"] * 2
    assert all("step 2: /update_weights cannot be reached" in one["text"] for one in outcomes)


@pytest.mark.slow
def test_what_a_server_does_wrong_ends_both_ranks_with_the_same_line(pair: Pair, server: StandInServer) -> None:
    words = (*FEW, "rollout=server", f"rollout.url={server.url}", "parallel=replicate")
    for name, path, faults, said in (
        ("answer", COMPLETIONS, [None, *[refuse] * 6], "EngineCore encountered an issue (asked twice)"),
        ("weights", RELOAD, [None, stale], "step 2: the server does not hold these weights but earlier ones"),
    ):
        server.faults.clear()
        server.faults[path] = [*faults]
        _, outcomes = pair.train(name, *words, "rollout.requests=1", "optimizer.lr=1e-3")
        assert [one["outcome"] for one in outcomes] == ["UserError"] * 2
        assert [one["text"] for one in outcomes if said not in one["text"]] == []
