"""A real vLLM, on whatever it runs on: TVO_TEST_VLLM=PYTHON pytest -m vllm tests/rollout/test_real_vllm.py."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tests.processes import until
from tests.stand_in_server import NODE
from tests.stand_in_transport import transports_on_a_cpu
from tvo_cli.errors import UserError
from tvo_cli.model import Policy, load_policy
from tvo_cli.model.tiny_model import tiny_tokenizer
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.engines.completion_service import CompletionService
from tvo_cli.rollout.engines.server_sampler import ServerSampler
from tvo_cli.rollout.server_client import ServerClient
from tvo_cli.rollout.weight_transfer import gpu_transports
from tvo_cli.rollout.weight_transfer.server_probe import ServerProbe
from tvo_cli.rollout.weight_transfer.weight_exchange import DiskExchange, TransferExchange
from tvo_cli.rollout.weight_transfer.weight_probe import WeightProbe

PYTHON = os.environ.get("TVO_TEST_VLLM", "")
pytestmark = [pytest.mark.vllm, pytest.mark.slow, pytest.mark.skipif(not PYTHON, reason="needs TVO_TEST_VLLM")]
STARTS = 600.0  # seconds: vLLM compiles on a CPU
PROMPTS, SAMPLING = ("1 + 1 =", "5 * 5 - 2 =", "0 ="), SamplingParams(samples=6, max_tokens=12)
QUIET = {
    **{"HF_HUB_OFFLINE": "1", "VLLM_SERVER_DEV_MODE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"},
    **{"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama with a head size that vLLM's attention takes everywhere, and the embedded tokenizer."""
    place, tokenizer = tmp_path_factory.mktemp("model"), tiny_tokenizer()
    ends = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    sizes = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2, "max_position_embeddings": 64}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": False}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = LlamaForCausalLM(
            LlamaConfig(vocab_size=len(tokenizer), initializer_range=0.1, **sizes, **heads, **ends)
        )
    network.save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def url(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that reads files."""
    with started(folder, tmp_path_factory.mktemp("vllm") / "log") as address:
        yield address


@pytest.fixture(scope="module")
def receiver(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server whose worker receives weights: tests/vllm_extension.py."""
    extended = ["--worker-extension-cls", "tests.vllm_extension.Extension"]
    extended += ["--weight-transfer-config", '{"backend": "gloo"}']
    with started(folder, tmp_path_factory.mktemp("receiver") / "log", *extended) as address:
        yield address


def free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


@contextmanager
def started(folder: Path, log: Path, *options: str) -> Iterator[str]:
    """The address of a server, once it answers."""
    port = free_port()
    words = [PYTHON, "-m", "vllm.entrypoints.cli.main", "serve", str(folder), "--served-model-name", "policy"]
    words += ["--host", "127.0.0.1", "--port", port, "--dtype", "float32", "--max-model-len", "64", "--enforce-eager"]
    words += ["--logprobs-mode", "processed_logprobs", "--no-enable-chunked-prefill"]
    words += ["--max-num-batched-tokens", "4096"]
    with log.open("w") as file:
        environment = {**os.environ, **QUIET, "PYTHONPATH": str(Path(__file__).parents[2])}
        server = subprocess.Popen([*words, *options], stdout=file, stderr=file, env=environment)

        def answers() -> bool:
            assert server.poll() is None, log.read_text()[-3000:]
            try:
                return httpx.get(f"http://127.0.0.1:{port}/health", timeout=5.0).status_code == 200
            except httpx.TransportError:
                return False

        try:
            until(answers, STARTS)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=60)


@pytest.fixture
def policy(folder: Path) -> Policy:
    return load_policy({**NODE, "path": str(folder)}, device="cpu")


def sampler(url: str, policy: Policy, place: Path, sampling: SamplingParams = SAMPLING) -> ServerSampler:
    client = ServerClient((url,), timeout=120.0, requests=32)
    ids = tuple(policy.encode(["7 + 3 * 12 - 4 * 2 + 9 ="])[0][0].tolist())
    exchange, probe = DiskExchange(client, place), WeightProbe(ServerProbe(client, "policy"), sampling, ids, 0.05)
    return ServerSampler(CompletionService(client, "policy"), exchange, probe, version=(0, 0))


def hand_over(made: ServerSampler, policy: Policy) -> None:
    made.write(policy, writes=True)
    made.hand_over(policy)


def moved(policy: Policy, by: float) -> None:
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(
                by * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel()))
            )


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_what_it_samples_is_scored_here_as_there(url: str, policy: Policy, tmp_path: Path, temperature: float) -> None:
    chosen = SamplingParams(samples=6, max_tokens=12, temperature=temperature)
    made = sampler(url, policy, tmp_path / "served", chosen)
    hand_over(made, policy)
    for _ in range(2):
        rollout = made(policy, PROMPTS, "abc", chosen, seed=1)
        with torch.no_grad():
            scores = policy.score(
                rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask, temperature
            )
        assert (scores.logp - rollout.logp)[rollout.mask].abs().max() < 1e-4
        moved(policy, 0.02)
        hand_over(made, policy)


def test_a_response_is_the_same_alone_and_among_others(url: str, policy: Policy, tmp_path: Path) -> None:
    made = sampler(url, policy, tmp_path / "served")
    hand_over(made, policy)
    together = made(policy, PROMPTS, "abc", SAMPLING, seed=1)
    alone = [made(policy, [prompt], [key], SAMPLING, seed=1) for prompt, key in zip(PROMPTS, "abc", strict=True)]
    assert together.texts == tuple(text for one in alone for text in one.texts)


def test_weights_that_it_did_not_load_are_found(url: str, policy: Policy, tmp_path: Path) -> None:
    made = sampler(url, policy, tmp_path / "served")
    hand_over(made, policy)
    moved(policy, 1e-5)  # far within mismatch_limit
    with pytest.raises(UserError, match="does not hold these weights but earlier ones"):
        made.probe.check(policy, "step 2")


@pytest.mark.parametrize("weights", ["nccl", "ipc"])
def test_it_receives_weights_from_memory(receiver: str, policy: Policy, tmp_path: Path, weights: str) -> None:
    """vLLM's own routes and loading, by gloo and by a mapped file; whoever receives nothing is found."""
    made = sampler(receiver, policy, tmp_path / "unused")
    with transports_on_a_cpu(tmp_path / "shared"):
        transport = gpu_transports.TRANSPORTS[weights](torch.device("cpu"))
    made.exchange = TransferExchange(ServerClient((receiver,), timeout=120.0, requests=32), transport)
    for _ in range(2):
        moved(policy, 0.02)
        hand_over(made, policy)
        rollout = made(policy, PROMPTS, "abc", SAMPLING, seed=1)
        with torch.no_grad():
            scores = policy.score(rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask, 1.0)
        assert (scores.logp - rollout.logp)[rollout.mask].abs().max() < 1e-4
    moved(policy, 1e-5)
    with pytest.raises(UserError, match="does not hold these weights but earlier ones"):
        made.probe.check(policy, "step 3")
    made.exchange.clean_up()
