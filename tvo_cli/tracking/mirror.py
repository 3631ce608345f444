"""What a mirror of metrics.jsonl can do; a mirror that breaks never stops the run."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tvo_cli.errors import UserError
from tvo_cli.tracking.run_folder import write_json

log = logging.getLogger("tvo")


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run, as its mirrors and its console introduce it."""

    name: str
    group: str  # the algorithm: mirrors put runs of one algorithm together, outside a sweep
    model: str
    dataset: str
    steps: int
    folder: Path
    config: Mapping[str, Any]  # resolved, secrets masked
    sweep: str = ""  # the sweep it is a job of; mirrors put those together


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


class Shown:
    """How far a mirror has been shown a run, kept in its folder: a mirror cannot forget, so nothing comes twice."""

    def __init__(self, path: Path, logger: str) -> None:
        self._path, self._logger = path, logger
        try:
            self._all: dict[str, dict[str, int]] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._all = {}
        self._last = self._all.setdefault(logger, {})

    def is_new(self, step: int, kind: str) -> bool:
        """Whether this step's row of a kind, steps or evaluations, was not shown yet."""
        return step > self._last.get(kind, -1)

    def remember(self, step: int, kind: str) -> None:
        """It was."""
        self._last[kind] = step
        write_json(self._path, self._all)


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
