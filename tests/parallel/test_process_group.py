"""How ranks meet, and what is said when one of them is gone: small processes that train nothing."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.parallel.conftest import free_port
from tvo_cli.errors import UserError
from tvo_cli.parallel.launched_process import LaunchedProcess
from tvo_cli.parallel.process_group import LESS_MEMORY, ProcessGroup
from tvo_cli.parallel.rank_lost import GOES_ON, RankLost
from tvo_cli.parallel.ranks import Ranks
from tvo_cli.training.update.out_of_memory import out_of_memory_in_sharded_pass

Deed = Callable[[Ranks], object]
FORK = multiprocessing.get_context("fork")  # nothing is imported again


def _be_rank(rank: int, count: int, port: str, deed: Deed, timeout: float, told: Any) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    group = ProcessGroup.meet(LaunchedProcess(rank, count, rank, count, "torchrun"))
    try:
        with group.joined(timeout, "cpu") as ranks:
            ranks.at(12, 7)
            told.put((rank, "finished", str(deed(ranks))))
    except Exception as error:
        told.put((rank, type(error).__name__, str(error)))
        time.sleep(0.2 if rank else 0.0)  # rank 0 holds the store


def run_ranks(*deeds: Deed, timeout: float = 20.0) -> dict[int, tuple[str, str]]:
    """What ranks that do different things say, by rank; a rank that is killed says nothing."""
    told, port, count = FORK.Queue(), free_port(), len(deeds)
    every = [FORK.Process(target=_be_rank, args=(r, count, port, deed, timeout, told)) for r, deed in enumerate(deeds)]
    for process in every:
        process.start()
    for process in every:
        process.join(30)
        assert process.exitcode is not None
    found = [told.get(timeout=5) for process in every if process.exitcode == 0]
    return {rank: (kind, text) for rank, kind, text in found}


def run_pair(first: Deed, second: Deed, timeout: float = 20.0) -> dict[int, tuple[str, str]]:
    """What two ranks say."""
    return run_ranks(first, second, timeout=timeout)


def exchange(ranks: Ranks) -> list[int]:
    """What both have."""
    return ranks.gather(ranks.rank + 10, int)


def fail(ranks: Ranks) -> None:
    """A mistake of one rank."""
    raise UserError("dataset.path", "/data/x.jsonl", "no such file.")


def die(ranks: Ranks) -> None:
    """What the kernel does to a process that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def hang(ranks: Ranks) -> None:
    """A rank that has stopped at the update before."""
    ranks.at(12, 6)
    time.sleep(2)


def test_what_each_has_is_gathered_in_order() -> None:
    assert run_pair(exchange, exchange) == {0: ("finished", "[10, 11]"), 1: ("finished", "[10, 11]")}


def test_the_reason_of_a_rank_that_ended_is_said_by_the_others() -> None:
    begun = time.monotonic()
    found = run_pair(exchange, fail)
    assert found[1] == ("UserError", "dataset.path=/data/x.jsonl: no such file.")
    kind, text = found[0]
    assert kind == "RankLost"
    assert text.startswith("rank=1: ended in update 7 of step 12: dataset.path=/data/x.jsonl: no such file.")
    assert "rank-1.log" in text
    assert time.monotonic() - begun < 10


class Told:
    """A store that keeps what a rank has left of its end."""

    lost: list[str]

    def compare_set(self, key: str, expected: str, text: str) -> None:
        self.lost = json.loads(text)["lost"]


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (out_of_memory_in_sharded_pass(4), "Its log: rank-1.log."),
        (torch.OutOfMemoryError("CUDA out of memory"), f"Its log: rank-1.log. {LESS_MEMORY}"),
        (ZeroDivisionError("division by zero"), f"Its log: rank-1.log. {GOES_ON}"),
    ],
)
def test_the_same_command_is_advised_only_where_it_would_not_end_so_again(error: Exception, advice: str) -> None:
    """Under parallel=shard a rank that is out of memory says by which other setting the run goes on."""
    store = Told()
    group = ProcessGroup(LaunchedProcess(1, 2, 1, 2, "torchrun"), store)
    group.tell_end(error, Ranks(1, 2))
    assert str(error) in store.lost[1] and store.lost[2] == advice


def test_a_rank_that_was_killed_is_named() -> None:
    kind, text = run_pair(exchange, die)[0]
    assert kind == "RankLost"
    assert text.startswith("rank=1: was killed during update 7 of step 12 (gather)")


@pytest.mark.slow
def test_a_rank_that_hangs_is_named_after_the_timeout() -> None:
    kind, text = run_pair(exchange, hang, timeout=1.0)[0]
    assert kind == "RankLost"
    assert text.startswith(
        "rank=1 (last in update 6 of step 12): no answer for 1 s during update 7 of step 12 (gather)."
    )
    assert "parallel.timeout" in text


def test_an_error_of_one_rank_is_raised_on_all() -> None:
    def fail_on_second(ranks: Ranks) -> list[int]:
        return ranks.gather_results(lambda: ranks.rank if ranks.rank == 0 else fail(ranks) or 0, int)

    expected = ("UserError", "dataset.path=/data/x.jsonl: no such file.")
    assert run_pair(fail_on_second, fail_on_second) == {0: expected, 1: expected}


@pytest.mark.slow
def test_what_the_first_rank_cannot_write_is_an_error_on_all() -> None:
    def write(ranks: Ranks) -> None:
        ranks.run_on_first(lambda: fail(ranks), None)

    expected = ("UserError", "dataset.path=/data/x.jsonl: no such file.")
    assert run_pair(write, write) == {0: expected, 1: expected}


@pytest.mark.slow
def test_a_disk_that_fails_on_the_first_is_said_by_all() -> None:
    def fail_to_write() -> None:
        raise OSError(5, "Input/output error", "/runs/a")

    def write(ranks: Ranks) -> None:
        ranks.run_on_first(fail_to_write, None)

    found = run_pair(write, write)
    assert found[0] == found[1] == ("OSError", "[Errno 5] Input/output error, on rank 0: '/runs/a'")


def test_a_parameter_that_no_rank_has_reached_keeps_no_gradient() -> None:
    def add(ranks: Ranks) -> list[Any]:
        parameters = [torch.zeros(2), torch.zeros(3), torch.zeros(1)]
        parameters[0].grad = torch.full((2,), 1.0 + ranks.rank)
        if ranks.rank == 1:
            parameters[2].grad = torch.full((1,), 5.0)
        ranks.sum_gradients(parameters)
        return [None if p.grad is None else p.grad.tolist() for p in parameters]

    assert run_pair(add, add) == {rank: ("finished", "[[3.0, 3.0], None, [5.0]]") for rank in (0, 1)}


def _introduce(rank: int, port: str, facts: dict[str, str], told: Any) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    group = ProcessGroup.meet(LaunchedProcess(rank, 2, rank, 2, "srun"))
    try:
        if rank == 0:
            group.check_same_facts(facts)
            group.send_config({"config": {"seed": 1}})
        else:
            group.introduce(facts)
            told.put((rank, str(group.receive_config())))
    except UserError as error:
        group.send_config({"refused": 2}, if_none=True)
        told.put((rank, str(error)))
    if rank == 0:
        time.sleep(0.3)  # it holds the store


@pytest.mark.slow
@pytest.mark.parametrize("other", ["a", "b"])
def test_the_config_of_the_first_is_every_ones_unless_the_code_is_another(other: str) -> None:
    told, port = FORK.Queue(), free_port()
    facts = ({"code": "a", "torch": "2"}, {"code": other, "torch": "2"})
    both = [FORK.Process(target=_introduce, args=(rank, port, one, told)) for rank, one in enumerate(facts)]
    for process in both:
        process.start()
    found = dict(told.get(timeout=30) for _ in range(1 + (other == "b")))
    for process in both:
        process.join(30)
    if other == "a":
        assert found == {1: "{'config': {'seed': 1}}"}
    else:
        assert found[1] == "{'refused': 2}"
        assert found[0].startswith("rank=1: on ") and "has another code than rank 0 (b; rank 0: a)." in found[0]


@pytest.mark.parametrize("error", [RankLost(3, "was killed.")], ids=["lost"])
def test_a_lost_rank_is_an_error_with_a_remedy(error: RankLost) -> None:
    assert str(error) == "rank=3: was killed. The same command goes on from the last checkpoint."


def test_all_name_the_rank_that_was_killed_and_not_the_first_that_missed_it() -> None:
    found = run_ranks(exchange, exchange, die)
    assert {text.split(" during ")[0] for _, text in found.values()} == {"rank=2: was killed"}


def test_an_exchange_inside_of_a_pass_names_the_rank_too() -> None:
    def exchange_unwatched(ranks: Ranks) -> None:
        import torch
        import torch.distributed as dist

        dist.all_reduce(torch.zeros(1))

    kind, text = run_pair(exchange_unwatched, die)[0]
    assert kind == "RankLost"
    assert text.startswith("rank=1: was killed during update 7 of step 12 (pass)")


@pytest.mark.slow
def test_an_error_of_this_rank_in_a_pass_stays_what_it_is() -> None:
    def add_what_does_not_fit(ranks: Ranks) -> None:
        import torch

        torch.zeros(2) + torch.zeros(3)

    assert run_pair(add_what_does_not_fit, add_what_does_not_fit)[0][0] == "RuntimeError"


@pytest.mark.slow
def test_memory_that_ends_inside_of_an_exchange_does_not_begin_anew() -> None:
    def run_out(ranks: Ranks) -> None:
        import torch

        with ranks.watched("sum of the gradients"):
            raise torch.OutOfMemoryError("CUDA out of memory.")

    found = run_pair(exchange, run_out)
    assert found[1][0] == "UserError"
    assert found[1][1].startswith("rank=1: its GPU is out of memory in the sum of the gradients during update 7")
    assert "Take fewer trainer.microbatch_rows" in found[1][1]
    assert found[0][1].startswith("rank=1: ended in update 7 of step 12: rank=1: its GPU is out of memory")


def _group_of_two(monkeypatch: pytest.MonkeyPatch) -> ProcessGroup:
    """Rank 0 of two, with a store of its own."""
    import torch.distributed as dist

    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    group = ProcessGroup(LaunchedProcess(0, 2, 0, 2, "torchrun"), dist.HashStore())  # type: ignore[attr-defined]
    return group


def test_a_process_that_is_still_dying_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    group, seen = _group_of_two(monkeypatch), [True, True, False]
    monkeypatch.setattr(ProcessGroup, "_lives", lambda self, rank: seen.pop(0))
    text = str(group._lost("gather", Ranks(0, 2), 20.0, "Connection closed by peer"))
    assert text.startswith("rank=1: was killed during the start (gather)") and not seen


def test_what_fails_before_the_ranks_are_connected_is_an_error_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    group = _group_of_two(monkeypatch)
    group.store.set("ready/1", '["trainer.device", "cuda", "there is no GPU for process 1.", "Start one a GPU."]')
    with pytest.raises(UserError, match=r"^trainer\.device=cuda: there is no GPU for process 1\. Start one a GPU\.$"):
        group.run_on_every_rank(lambda: "cuda:0")
    assert group.store.get("ready/0") == b"null"


def test_what_fails_here_before_the_ranks_are_connected_is_told_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    group = _group_of_two(monkeypatch)
    group.store.set("ready/1", "null")
    with pytest.raises(PermissionError):
        group.run_on_every_rank(lambda: (_ for _ in ()).throw(PermissionError("rank-0.log")))
    assert b"could not begin: PermissionError: rank-0.log" in group.store.get("ready/0")


def test_ranks_that_are_bound_to_other_processors_share_none(monkeypatch: pytest.MonkeyPatch) -> None:
    group = _group_of_two(monkeypatch)
    group.store.set("process/0", '{"host": "node1", "pid": 1, "processors": [0, 1]}')
    group.store.set("process/1", '{"host": "node1", "pid": 2, "processors": [2, 3]}')
    assert group._ranks_on_same_processors() == 1
    group.store.set("process/1", '{"host": "node1", "pid": 2, "processors": [0, 1]}')
    assert group._ranks_on_same_processors() == 2
