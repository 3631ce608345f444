"""Weight exchange: the trainer's weights become those that its servers sample from, and nobody else's.

By disk: a safetensors file replaced as a whole in a folder that the servers see, then vLLM's own routes: reload the
weights, forget what was cached of the former ones, note whose weights these are.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.rollout.served_weights import write_served_weights
from tvo_cli.rollout.server_client import ServerClient, TransientError

log = logging.getLogger("tvo")


@dataclass(slots=True)
class DiskExchange:
    """Hands weights to servers through a folder that they see."""

    client: ServerClient
    folder: Path
    untie: bool = False  # whether a tied output head is written as a tensor of its own
    run: str = field(default_factory=lambda: secrets.token_hex(4))  # whose weights, as the servers note it
    _held: str | None = None  # the version that the servers noted; None: they note none
    _written: set[str] = field(default_factory=set)  # of a folder that held nothing before

    def write(self, policy: Policy, *, writes: bool = True) -> None:
        """Write the policy's weights; every rank calls it, and one of them writes."""
        own = bool(self._written) or not self.folder.exists() or not any(self.folder.iterdir())
        names = write_served_weights(policy, self.folder, untie=self.untie, writes=writes, known=self._written)
        self._written |= names if own and writes else set()

    def load(self, folder: Path, version: str, about: str) -> None:
        """Have every server load the weights of a folder, and forget what it cached of the former ones."""
        where = {"weights_path": str(folder.resolve())}
        self.client.at_all("/collective_rpc", {"method": "reload_weights", "kwargs": where}, about)
        self.client.at_all("/reset_prefix_cache", {}, about, _check_cache_is_reset)
        self._note_version(f"{self.run}/{version}", about)

    def confirm(self, about: str) -> None:
        """Refuse what was sampled if a server holds other weights by now: it was restarted, or serves another run."""
        if self._held is None:
            return
        for url, found in zip(self.client.urls, self._versions(about), strict=True):
            if found != self._held:
                problem = f"{about}: its weights were exchanged, or it was restarted, while responses were sampled."
                raise UserError("rollout.url", url, problem, "A server serves one run: give each its own.")

    def clean_up(self) -> None:
        """Remove the weights, which servers have in their memory; a folder that held something before stays."""
        for name in self._written:
            (self.folder / name).unlink(missing_ok=True)
        self._written.clear()
        with suppress(OSError):  # others' files are in it
            self.folder.rmdir()

    def _note_version(self, version: str, about: str) -> None:
        """Have the servers note the version of their weights; older ones have no route for it."""
        try:
            self.client.at_all("/update_weight_version", {"new_version": version}, about)
            noted = self._versions(about) == [version] * len(self.client.urls)
        except UserError:
            noted = False
        if not noted and self._held is None:
            log.info("%s: notes no version of its weights; that no other run exchanges them is up to you", self._names)
        self._held = version if noted else None

    @property
    def _names(self) -> str:
        return ", ".join(self.client.urls)

    def _versions(self, about: str) -> list[Any]:
        found = self.client.at_all("/weight_info", None, about)
        return [one.get("weight_version") if isinstance(one, dict) else None for one in found]


def _check_cache_is_reset(answer: Any) -> None:
    if isinstance(answer, dict) and answer.get("success") is False:
        remedy = "It is answering others' requests: a server serves one run."
        raise TransientError("/reset_prefix_cache failed: what was cached of other weights is still held", remedy)
