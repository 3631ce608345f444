"""Parameters that torch shards: which rows are here, and what was kept of them put back beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Replicate, Shard, distribute_tensor
from torch.testing._internal.distributed.fake_pg import FakeStore

from tvo_cli.checkpoint.optimizer_state import optimizer_tensors, restore_optimizer
from tvo_cli.checkpoint.rows_to_load import RowsToLoad
from tvo_cli.checkpoint.sharded_parameters import (
    gather_whole_tensors,
    held_tensor,
    held_tensors,
    is_sharded,
    place_each,
    placed_as,
    row_range,
    unsharded_tensor,
    whole_tensors,
)
from tvo_cli.checkpoint.tensor_fingerprint import fingerprint_of_tensors, tensor_fingerprint
from tvo_cli.checkpoint.tensor_slice import TensorSlice, values_held
from tvo_cli.errors import UserError

WHOLE = torch.arange(21.0).view(7, 3)


@pytest.fixture
def mesh_of(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A mesh seen by one of many ranks, the others only imagined: what is local needs no answer of theirs."""

    def make(rank: int, *sizes: int) -> DeviceMesh:
        count = int(torch.tensor(sizes).prod())
        dist.init_process_group("fake", store=FakeStore(), rank=rank, world_size=count)
        return init_device_mesh("cpu", sizes)

    yield make
    dist.destroy_process_group()


@pytest.fixture
def lone_mesh() -> Iterator[DeviceMesh]:
    """A group of one process, which answers itself."""
    store = dist.HashStore()  # type: ignore[attr-defined]
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    dist.destroy_process_group()


@pytest.mark.parametrize(("rank", "rows"), [(0, (0, 2)), (1, (2, 4)), (2, (4, 6)), (3, (6, 7))])
def test_the_rows_here_are_those_of_the_rank(mesh_of: Any, rank: int, rows: tuple[int, int]) -> None:
    sharded = distribute_tensor(WHOLE, mesh_of(rank, 4), [Shard(0)], src_data_rank=None)
    held = held_tensor(sharded)
    assert isinstance(held, TensorSlice) and held.is_owned
    assert row_range(sharded) == held.range == (*rows, 7)
    assert torch.equal(held.rows, WHOLE[rows[0] : rows[1]])


@pytest.mark.parametrize(("rank", "rows", "owned"), [(0, (0, 4), True), (1, (4, 7), True), (3, (4, 7), False)])
def test_of_two_copies_of_the_shards_the_first_writes(
    mesh_of: Any, rank: int, rows: tuple[int, int], owned: bool
) -> None:
    sharded = distribute_tensor(WHOLE, mesh_of(rank, 2, 2), [Replicate(), Shard(0)], src_data_rank=None)
    held = held_tensor(sharded)
    assert isinstance(held, TensorSlice) and (held.range[:2], held.is_owned) == (rows, owned)


def test_a_rank_without_rows_holds_an_empty_slice(mesh_of: Any) -> None:
    held = held_tensor(distribute_tensor(torch.ones(1, 3), mesh_of(2, 4), [Shard(0)], src_data_rank=None))
    assert isinstance(held, TensorSlice) and held.range == (1, 1, 1) and held.rows.shape == (0, 3)


def test_what_every_rank_holds_is_no_slice(mesh_of: Any) -> None:
    same = distribute_tensor(WHOLE, mesh_of(1, 4), [Replicate()], src_data_rank=None)
    assert row_range(same) is None and torch.equal(values_held(held_tensor(same)), WHOLE)
    assert row_range(WHOLE) is None and held_tensor(WHOLE) is WHOLE


def test_another_way_to_shard_is_refused(mesh_of: Any) -> None:
    with pytest.raises(ValueError, match="sharded as"):
        held_tensor(distribute_tensor(WHOLE, mesh_of(0, 3), [Shard(1)], src_data_rank=None))


def test_a_slice_and_a_whole_tensor_come_to_the_same_rows(mesh_of: Any) -> None:
    like = nn.Parameter(distribute_tensor(torch.zeros(7, 3), mesh_of(1, 3), [Shard(0)], src_data_rank=None))
    rows = TensorSlice(WHOLE[3:6].clone(), 3, 7)
    for found in (placed_as(rows, like), placed_as(WHOLE, like)):
        assert is_sharded(found) and found.shape == (7, 3) and not found.requires_grad
        assert torch.equal(values_held(held_tensor(found)), WHOLE[3:6])
    assert placed_as(torch.tensor(3.0), like).shape == (), "a count of steps is no slice"
    with pytest.raises(ValueError, match="rows"):
        placed_as(TensorSlice(WHOLE[:3], 0, 7), like)
    with pytest.raises(TypeError, match="whole tensor is needed"):
        placed_as(rows, WHOLE)


def test_what_is_asked_of_a_checkpoint_follows_the_parameters(mesh_of: Any) -> None:
    sharded = distribute_tensor(WHOLE, mesh_of(1, 3), [Shard(0)], src_data_rank=None)
    rows = RowsToLoad.of({part: {"a.weight": sharded, "b": torch.ones(2)} for part in ("policy", "optimizer")})
    wanted = row_range(sharded)
    for part, name in (
        *(("policy", "a.weight"), ("optimizer", "a.weight|exp_avg"), ("snapshot", "tensors.policy.a.weight")),
        ("work", "before.tensors.optimizer.a.weight|exp_avg"),
    ):
        assert rows.wanted(part, name, (7, 3)) == wanted, name
    for part, name, shape in (
        *(("optimizer", "a.weight|step", ()), ("optimizer", "a.weight|row", (7,)), ("policy", "b", (2,))),
        *(
            ("work", "batch.drawn.rollout.logp", (7, 3)),
            ("streams", "torch", (7, 3)),
            ("optimizer", "0.exp_avg", (7, 3)),
        ),
    ):
        assert rows.wanted(part, name, shape) is None, name


class Tied(nn.Module):
    """Two layers and a head that is the first one's weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.inner, self.head = (nn.Linear(3, 3, bias=False) for _ in range(3))
        self.head.weight = self.embed.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.inner(self.embed(x)))
        return found


def stepped(network: nn.Module) -> torch.optim.AdamW:
    """One step of AdamW."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
    network(torch.ones(2, 3)).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    return optimizer


@pytest.fixture
def sharded_and_plain(lone_mesh: DeviceMesh) -> tuple[Tied, Tied]:
    """The same network under FSDP2 in a group of one, and plain."""
    torch.manual_seed(0)
    plain, sharded = Tied(), Tied()
    sharded.load_state_dict(plain.state_dict())
    fully_shard(sharded.inner, mesh=lone_mesh)
    fully_shard(sharded, mesh=lone_mesh, reshard_after_forward=False)
    return sharded, plain


def test_fsdps_optimiser_has_the_state_of_a_plain_one_by_the_same_names(sharded_and_plain: tuple[Tied, Tied]) -> None:
    sharded, plain = sharded_and_plain
    found, wanted = optimizer_tensors(stepped(sharded), sharded), optimizer_tensors(stepped(plain), plain)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(values_held(found[name]), values_held(value)) for name, value in wanted.items())
    assert {name: isinstance(held, TensorSlice) for name, held in found.items()} == {
        name: not name.endswith("step") for name in wanted
    }


def test_a_state_that_every_rank_has_for_itself_is_refused(sharded_and_plain: tuple[Tied, Tied]) -> None:
    sharded, plain = sharded_and_plain
    for network in (sharded, plain):
        optimizer = stepped(network)
        for state in optimizer.state.values():
            state["absmax"] = torch.ones(3)
        if network is plain:
            assert "embed.weight|absmax" in optimizer_tensors(optimizer, network)
            continue
        with pytest.raises(UserError, match=r"optimizer=AdamW: keeps embed\.weight\|absmax"):
            optimizer_tensors(optimizer, network)


def test_its_state_is_named_while_a_forward_has_its_weights_unsharded(sharded_and_plain: tuple[Tied, Tied]) -> None:
    sharded, _ = sharded_and_plain
    optimizer = stepped(sharded)
    names = optimizer_tensors(optimizer, sharded).keys()
    with torch.no_grad():
        sharded(torch.ones(1, 3))
    assert not any(map(is_sharded, sharded.embed.parameters())), "the test tells nothing"
    assert optimizer_tensors(optimizer, sharded).keys() == names


def test_fsdp_goes_on_from_a_plain_state_and_from_slices(sharded_and_plain: tuple[Tied, Tied]) -> None:
    """Weights and moments of one process put into a sharded learner: the next step is the same."""
    sharded, plain = sharded_and_plain
    one = stepped(plain)
    kept, moments = dict(plain.state_dict()), optimizer_tensors(one, plain)
    other = stepped(sharded)
    held = held_tensors(sharded.state_dict())
    sharded.load_state_dict(place_each(held, sharded.state_dict()))
    sharded.load_state_dict(place_each(kept, sharded.state_dict()))
    restore_optimizer(other, moments, sharded)
    for network, optimizer in ((plain, one), (sharded, other)):
        network(torch.full((1, 3), 2.0)).square().sum().backward()
        optimizer.step()
    after = sharded.state_dict()
    assert all(torch.equal(unsharded_tensor(after[name]), value) for name, value in plain.state_dict().items())


def test_the_whole_is_put_together_where_it_is_kept(sharded_and_plain: tuple[Tied, Tied]) -> None:
    sharded, plain = sharded_and_plain
    named = sharded.state_dict(keep_vars=True)
    whole = gather_whole_tensors(named, keep=True)
    assert all(torch.equal(whole[name], value) for name, value in plain.state_dict().items())
    assert whole["head.weight"] is whole["embed.weight"] and not any(map(is_sharded, whole.values()))
    assert gather_whole_tensors(named, keep=False) == {}


def test_the_fingerprint_of_slices_is_that_of_the_whole(sharded_and_plain: tuple[Tied, Tied]) -> None:
    sharded, plain = sharded_and_plain
    live = sharded.state_dict()
    assert fingerprint_of_tensors(whole_tensors(held_tensors(live), live)) == tensor_fingerprint(plain.state_dict())
