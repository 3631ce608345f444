"""A policy's folder: read back as it was trained, in one file or in several, whole or by the rows that are here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.fsdp import fully_shard
from transformers import PreTrainedModel

from tests.model.conftest import packing_families, without_dropout
from tvo_cli.checkpoint.sharded_parameters import is_sharded, unsharded_tensor
from tvo_cli.checkpoint.tensor_slice import TensorSlice, values_held
from tvo_cli.model import Policy
from tvo_cli.model.tiny_model import tiny_tokenizer

FAMILIES = ("llama", "qwen3", "gpt2")  # the first and the last with a tied head


def policy_of(family: str) -> Policy:
    """A small random one; words beyond the network's are never sampled."""
    network: PreTrainedModel = without_dropout(packing_families()[family])
    tokenizer = tiny_tokenizer(["one", "two", "three"])
    return Policy(network, tokenizer, frozenset({2}), 0)


def shard(policy: Policy) -> Policy:
    """Shard it over a group of one."""
    fully_shard(policy.network)
    return policy


@pytest.fixture
def lone_group() -> Iterator[None]:
    """A group of one process."""
    store = dist.HashStore()  # type: ignore[attr-defined]
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def assert_same(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    """The same names and bits."""
    assert found.keys() == wanted.keys()
    assert [name for name, value in wanted.items() if not torch.equal(found[name], value)] == []


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("cut", ["1KB", "20KB", "5GB"])
def test_it_is_read_from_one_file_and_from_several(tmp_path: Path, family: str, cut: str) -> None:
    policy = policy_of(family)
    policy.network.save_pretrained(tmp_path, max_shard_size=cut)
    assert (len(list(tmp_path.glob("*.safetensors"))) > 1) == (cut != "5GB"), "the test tells nothing"
    found = {name: values_held(value) for name, value in policy.read_saved(tmp_path).items()}
    assert_same(found, policy.trained_tensors())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_sharded_one_writes_the_folder_that_a_plain_one_writes(tmp_path: Path, family: str, lone_group: None) -> None:
    policy_of(family).save(tmp_path / "plain")
    shard(policy_of(family)).save(tmp_path / "sharded")
    plain, sharded = (
        {path.name: path.read_bytes() for path in (tmp_path / kind).iterdir()} for kind in ("plain", "sharded")
    )
    assert "model.safetensors" in plain and plain.keys() == sharded.keys()
    assert [name for name in plain if plain[name] != sharded[name]] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_sharded_one_takes_its_rows_of_a_plain_ones_folder(tmp_path: Path, family: str, lone_group: None) -> None:
    plain, policy = policy_of(family), shard(policy_of(family))
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.add_(1.0)
    plain.save(tmp_path)
    read = policy.read_saved(tmp_path)
    assert all(
        isinstance(read[name], TensorSlice) for name, value in policy.trained_tensors().items() if is_sharded(value)
    )
    policy.restore(read)
    whole = {name: unsharded_tensor(value) for name, value in policy.trained_tensors().items()}
    assert_same(whole, plain.trained_tensors())


def test_a_rank_that_does_not_write_leaves_no_file(tmp_path: Path) -> None:
    policy_of("llama").save(tmp_path / "policy", writes=False)
    assert list(tmp_path.iterdir()) == []
