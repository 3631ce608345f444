"""What a mirror of metrics.jsonl can do; a mirror that breaks never stops the run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tvo_cli.errors import UserError

log = logging.getLogger("tvo")


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run, as its mirrors and its console introduce it."""

    name: str
    group: str  # the algorithm: mirrors put runs of one algorithm together
    model: str
    dataset: str
    steps: int
    folder: Path
    config: Mapping[str, Any]  # resolved, secrets masked


class Mirror(Protocol):
    """A second place where the metrics can be seen."""

    def start(self, run: RunInfo) -> None:
        """Open it."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show a step."""

    def alert(self, title: str, text: str) -> None:
        """Tell somebody."""

    def finish(self, summary: Mapping[str, Any], exit_code: int) -> None:
        """Close it."""


class Shielded:
    """A mirror whose first failure becomes one warning, after which it is left alone."""

    def __init__(self, mirror: Mirror, name: str) -> None:
        self._mirror, self._name, self.broken = mirror, name, False

    def start(self, run: RunInfo) -> None:
        """Open it."""
        self._try(lambda: self._mirror.start(run))

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show a step."""
        self._try(lambda: self._mirror.log(step, metrics))

    def alert(self, title: str, text: str) -> None:
        """Tell somebody."""
        self._try(lambda: self._mirror.alert(title, text))

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Show a table, where the mirror can."""
        show = getattr(self._mirror, "table", None)
        if show is not None:
            self._try(lambda: show(name, columns, rows))

    def finish(self, summary: Mapping[str, Any], exit_code: int) -> None:
        """Close it."""
        self._try(lambda: self._mirror.finish(summary, exit_code))

    def _try(self, act: Callable[[], None]) -> None:
        if self.broken:
            return
        try:
            act()
        except UserError:
            raise  # a missing extra or a wrong mode is the user's to mend, before the run has cost anything
        except Exception as error:  # whatever a service or its client does, training goes on
            self.broken = True
            log.warning("logger=%s failed and is off for the rest of the run: %s", self._name, error)
