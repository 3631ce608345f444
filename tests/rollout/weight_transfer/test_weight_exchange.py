"""What of a policy goes to servers: which tensors, by which names, whole, in which order, to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.stand_in_server import NODE, StandInServer, serving
from tests.stand_in_transport import transports_on_a_cpu
from tests.training.test_served_rollouts import no_pause as no_pause
from tvo_cli.model import Policy, load_policy
from tvo_cli.rollout.server_client import ServerClient
from tvo_cli.rollout.weight_transfer import gpu_transports
from tvo_cli.rollout.weight_transfer.served_weights import gather_served_weights, write_served_weights
from tvo_cli.rollout.weight_transfer.weight_exchange import TransferExchange


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with serving() as found:
        yield found


@pytest.fixture
def policy() -> Policy:
    policy = load_policy({**NODE, "path": "packaged:tiny"}, device="cpu")
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    return policy


def tie(policy: Policy) -> None:
    network = policy.network
    network.config.tie_word_embeddings = True
    network.lm_head.weight = network.get_input_embeddings().weight
    network.tie_weights()


@pytest.mark.parametrize("weights", ["nccl", "ipc"])
def test_a_server_receives_every_tensor_once_in_order_and_to_the_bit(
    server: StandInServer, policy: Policy, weights: str, tmp_path: Path
) -> None:
    client = ServerClient((server.url,), timeout=20.0, requests=4)
    policy.network.model.norm.to(torch.bfloat16)  # a dtype besides
    with transports_on_a_cpu(tmp_path):
        exchange = TransferExchange(client, gpu_transports.TRANSPORTS[weights](torch.device("cpu")))
    for _ in range(2):  # one group for all exchanges
        exchange.write(policy)
        exchange.load("0.0", "step 1")
    exchange.clean_up()
    own = dict(policy.network.named_parameters())
    assert server.receiver.order == [(n, str(t.dtype)[6:], tuple(t.shape)) for n, t in own.items()]
    held = server.policy.network.state_dict()
    assert all(torch.equal(held[name], tensor) for name, tensor in own.items())
    assert len(server.requests("/init_weight_transfer_engine")) == (weights == "nccl")
    assert server.version.endswith("/0.0")


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("untie", [False, True])
def test_it_is_what_the_hub_format_has_on_disk(policy: Policy, tied: bool, untie: bool, tmp_path: Path) -> None:
    if tied:
        tie(policy)
    write_served_weights(policy, tmp_path, untie=untie)
    written, sent = load_file(tmp_path / "model.safetensors"), gather_served_weights(policy, untie=untie)
    assert written.keys() == sent.keys() and all(torch.equal(written[name], sent[name]) for name in sent)
    assert ("lm_head.weight" in sent) == (untie or not tied)


def test_a_rank_that_sends_nothing_keeps_nothing(policy: Policy) -> None:
    assert gather_served_weights(policy, keep=False) == {}
