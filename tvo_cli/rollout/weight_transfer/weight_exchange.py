"""Weight exchange: the trainer's weights become those that its servers sample from, and nobody else's.

By disk: a safetensors file replaced as a whole in a folder that the servers see, and vLLM's own route to reload it. By
a transport (weight_transport.py): from the trainer's memory to theirs. Then, whichever it was: forget what was cached
of the former weights, and note whose these are.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from tvo_cli.model import Policy
from tvo_cli.rollout.server_client import ServerClient, TransientError
from tvo_cli.rollout.weight_transfer.served_weights import gather_served_weights, write_served_weights
from tvo_cli.rollout.weight_transfer.weight_transport import WeightTransport
from tvo_cli.rollout.weight_transfer.weight_version import WeightVersion


class WeightExchange(Protocol):
    """Hands weights to servers: first put together, by all ranks, and then handed over, by one."""

    def write(self, policy: Policy, *, writes: bool = True) -> None:
        """Put the policy's weights together; every rank calls it, and one of them keeps or writes them."""

    def load(self, version: str, about: str) -> None:
        """Have every server hold what was put together, and forget what it cached of the former weights."""

    def confirm(self, about: str) -> None:
        """Refuse what was sampled if a server holds other weights by now."""

    def clean_up(self) -> None:
        """Leave nothing behind."""


@dataclass(slots=True)
class DiskExchange:
    """Hands weights to servers through a folder that they see."""

    client: ServerClient
    folder: Path
    untie: bool = False  # whether a tied output head is written as a tensor of its own
    version: WeightVersion = field(init=False)
    _written: set[str] = field(default_factory=set)  # of a folder that held nothing before

    def __post_init__(self) -> None:
        self.version = WeightVersion(self.client)

    def write(self, policy: Policy, *, writes: bool = True) -> None:
        """Write the policy's weights; every rank calls it, and one of them writes."""
        own = bool(self._written) or not self.folder.exists() or not any(self.folder.iterdir())
        names = write_served_weights(policy, self.folder, untie=self.untie, writes=writes, known=self._written)
        self._written |= names if own and writes else set()

    def load(self, version: str, about: str) -> None:
        """Have every server load the weights of the folder."""
        where = {"weights_path": str(self.folder.resolve())}
        self.client.at_all("/collective_rpc", {"method": "reload_weights", "kwargs": where}, about)
        reset_cache(self.client, about)
        self.version.note(version, about)

    def confirm(self, about: str) -> None:
        """See `WeightVersion.confirm`."""
        self.version.confirm(about)

    def clean_up(self) -> None:
        """Remove the weights, which servers have in their memory; a folder that held something before stays."""
        for name in self._written:
            (self.folder / name).unlink(missing_ok=True)
        self._written.clear()
        with suppress(OSError):  # others' files are in it
            self.folder.rmdir()


@dataclass(slots=True)
class TransferExchange:
    """Hands weights to servers from memory to memory; of sharded ones the sender holds a whole copy meanwhile.

    They are whole before the first is sent: a rank that talks to a server while others gather is waited for by all.
    """

    client: ServerClient
    transport: WeightTransport
    untie: bool = False
    version: WeightVersion = field(init=False)
    _weights: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.version = WeightVersion(self.client)

    def write(self, policy: Policy, *, writes: bool = True) -> None:
        """Put the weights together, by the names of the hub format."""
        self._weights = gather_served_weights(policy, untie=self.untie, keep=writes)

    def load(self, version: str, about: str) -> None:
        """Send the weights to every server."""
        try:
            self.transport.send(self.client, self._weights, about)
        finally:
            self._weights = {}
        reset_cache(self.client, about)
        self.version.note(version, about)

    def confirm(self, about: str) -> None:
        """See `WeightVersion.confirm`."""
        self.version.confirm(about)

    def clean_up(self) -> None:
        """Part from the servers."""
        self.transport.close()


def reset_cache(client: ServerClient, about: str) -> None:
    """After an exchange of weights, have every server forget what it cached of former ones."""
    client.at_all("/reset_prefix_cache", {}, about, _check_cache_is_reset)


def _check_cache_is_reset(answer: Any) -> None:
    """After an exchange: refuse a server's answer that it has not forgotten what it cached of former weights."""
    if isinstance(answer, dict) and answer.get("success") is False:
        remedy = "It is answering others' requests: a server serves one run."
        raise TransientError("/reset_prefix_cache failed: what was cached of other weights is still held", remedy)
