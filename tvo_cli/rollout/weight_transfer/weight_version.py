"""The version of a server's weights, as the server notes it: whether it still holds those that it was handed."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, field
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.rollout.server_client import ServerClient

log = logging.getLogger("tvo")


@dataclass(slots=True)
class WeightVersion:
    """What servers note of their weights."""

    client: ServerClient
    run: str = field(default_factory=lambda: secrets.token_hex(4))  # whose weights
    held: str | None = None  # the version that the servers noted; None: they note none

    def note(self, version: str, about: str) -> None:
        """Have the servers note the version of their weights; older ones have no route for it."""
        version = f"{self.run}/{version}"
        try:
            self.client.at_all("/update_weight_version", {"new_version": version}, about)
            noted = self._found(about) == [version] * len(self.client.urls)
        except UserError:
            noted = False
        if not noted and self.held is None:
            names = ", ".join(self.client.urls)
            log.info("%s: notes no version of its weights; that no other run exchanges them is up to you", names)
        self.held = version if noted else None

    def confirm(self, about: str) -> None:
        """Refuse what was sampled if a server holds other weights by now: it was restarted, or serves another run."""
        if self.held is None:
            return
        for url, found in zip(self.client.urls, self._found(about), strict=True):
            if found != self.held:
                problem = f"{about}: its weights were exchanged, or it was restarted, while responses were sampled."
                raise UserError("rollout.url", url, problem, "A server serves one run: give each its own.")

    def _found(self, about: str) -> list[Any]:
        found = self.client.at_all("/weight_info", None, about)
        return [one.get("weight_version") if isinstance(one, dict) else None for one in found]
