"""Which engine a command takes, the keys that belong to it, and what a server cannot do."""

from __future__ import annotations

import pytest

from tvo_cli import config
from tvo_cli.config.cross_key_checks import check_across_keys
from tvo_cli.errors import UserError

RUN = ["output_dir=x", "algorithm=grpo"]
REFUSED = [
    ("sft", ["rollout=vllm"], r"^rollout=vllm: is an engine of `tvo train` and `tvo eval`, not of `tvo sft`"),
    ("train", ["+rollout.engine=vllm"], r"^rollout\.engine=vllm: needs rollout\.options\. Take rollout=vllm"),
    ("train", ["rollout=vllm", "rollout.temperature=0.7", "rollout.top_k=5"], r"^rollout\.top_k=5: vLLM does not say"),
    ("sft", ["rollout=server"], r"^rollout=server: is an engine of `tvo train` and `tvo eval`, not of `tvo sft`"),
    ("train", ["+rollout.url=[http://a]"], r"^rollout\.url=.*is read by rollout=server only\. Take rollout=server"),
    ("eval", ["+rollout.options={a: 1}"], r"^rollout\.options=.*are read by an engine only\. Take rollout=vllm"),
    ("train", ["+rollout.engine=server"], r"^rollout\.engine=server: needs rollout\.url\. Take rollout=server"),
    (
        "train",
        ["rollout=server", "rollout.weights=ipc", "rollout.url=[http://a,http://b]"],
        r"^rollout\.weights=ipc: shares the memory of one GPU with one server, and rollout\.url names 2\.",
    ),
    ("train", ["rollout=server", "rollout.weights=none"], r"^rollout\.weights=none: would leave the servers with the"),
    ("train", ["rollout=server", "rollout.url=[]"], r"^rollout\.url=\[\]: must be a list of"),
    ("train", ["rollout=server", "rollout.url=ftp://a"], r"^rollout\.url=.*addresses as http://localhost:8000"),
    ("train", ["rollout=server", "rollout.requests=0"], r"^rollout\.requests=0"),
    ("train", ["rollout=server", "rollout.timeout=0"], r"^rollout\.timeout=0"),
    ("train", ["rollout=server", "rollout.mismatch_limit=0"], r"^rollout\.mismatch_limit=0"),
    (
        "train",
        ["rollout=server", "rollout.temperature=0.7", "rollout.top_k=5"],
        r"^rollout\.top_k=5: vLLM does not say log π of all tokens at rollout\.temperature=0\.7",
    ),
]


@pytest.mark.parametrize(("root", "words", "said"), REFUSED)
def test_what_an_engine_cannot_do_is_refused(root: str, words: list[str], said: str) -> None:
    begin = RUN if root == "train" else ["output_dir=x"]
    with pytest.raises(UserError, match=said):
        config.compose([*begin, *words], root)


@pytest.mark.parametrize(
    "words",
    [
        ("rollout.temperature=0.7",),
        ("rollout.top_p=0.9",),
        ("algorithm=tvo", "rollout.temperature=0", "rollout.top_k=5"),
        ("rollout.mismatch_limit=inf",),
        ("rollout.url=https://node7:8000/v1",),
        ("rollout.weights=nccl", "rollout.url=[http://a,http://b]"),
    ],
)
def test_what_a_server_can_do_is_taken(words: tuple[str, ...]) -> None:
    check_across_keys(config.compose([*RUN, "rollout=server", *words]))


def test_where_the_servers_are_is_no_part_of_the_experiment() -> None:
    """A run goes on with other servers, and a sweep knows its job again; its own loop draws other responses."""
    here = config.config_fingerprint(config.compose([*RUN, "rollout=server"]))
    there = config.compose([*RUN, "rollout=server", "rollout.url=http://node7:8000", "rollout.folder=/dev/shm/a"])
    assert here == config.config_fingerprint(there)
    assert here != config.config_fingerprint(config.compose(RUN))
