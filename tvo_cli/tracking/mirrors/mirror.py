"""Mirrors of metrics.jsonl: what one can do, deduplication, and failures that never stop the run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tvo_cli.errors import UserError
from tvo_cli.tracking.metric_names import is_evaluation_metric

log = logging.getLogger("tvo")


class MirrorRowKey(NamedTuple):
    """The key of a row in a mirror: a step has at most one of training and one of an evaluation."""

    step: int
    evaluation: bool


def mirrored_row_keys(step: int, names: Iterable[str]) -> set[MirrorRowKey]:
    """Return the rows that metrics of a step belong to; a mirror may join a step and its evaluation."""
    return {MirrorRowKey(step, is_evaluation_metric(name)) for name in names if name != "step"}


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
    command: str = ""  # that makes this very run, secrets redacted


class Mirror(Protocol):
    """The protocol of a mirror: a second place where the metrics can be seen.

    One that can shows tables and the run's figure too, by methods `table` and `figure` as FailSafeMirror has them.
    """

    def start(self, run: RunInfo) -> None:
        """Open it."""

    def held(self) -> set[MirrorRowKey]:
        """The rows that it shows already, of whichever process; once it is open."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show a step."""

    def alert(self, title: str, text: str) -> None:
        """Tell somebody."""

    def finish(self, summary: Mapping[str, Any], exit_code: int) -> None:
        """Close it."""


class DeduplicatingMirror:
    """A mirror that shows every row once over all processes of a run.

    What a mirror holds is read from the mirror itself: a note beside it would be ahead of it or behind it
    after a kill, for mirrors write through threads and services with buffers of their own.
    """

    def __init__(self, mirror: FailSafeMirror) -> None:
        self._mirror = mirror
        self._held: set[MirrorRowKey] = set()
        self._shown: set[MirrorRowKey] = set()  # by this process

    def start(self, run: RunInfo) -> None:
        """Open it and see what it holds."""
        self._mirror.start(run)
        self._held = self._mirror.held()

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show a row, unless the mirror has it: a mirror cannot forget."""
        keys = mirrored_row_keys(step, metrics)
        if not keys <= self._held:
            self._mirror.log(step, metrics)
            self._held |= keys
            self._shown |= keys

    def table(self, name: str, step: int, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Show a table of a step, unless the mirror had the step before this process: then it has the table too."""
        if MirrorRowKey(step, evaluation=False) in self._shown:
            self._mirror.table(name, step, columns, rows)

    def figure(self, path: Path) -> None:
        """Show the run's figure, where this process has added a step to it."""
        if self._shown:
            self._mirror.figure(path)

    def alert(self, title: str, text: str) -> None:
        """Tell somebody."""
        self._mirror.alert(title, text)

    def finish(self, summary: Mapping[str, Any], exit_code: int) -> None:
        """Close it."""
        self._mirror.finish(summary, exit_code)


class FailSafeMirror:
    """A mirror whose first failure becomes one warning, after which it is switched off."""

    def __init__(self, mirror: Mirror, name: str) -> None:
        self._mirror, self._name, self.broken = mirror, name, False

    def start(self, run: RunInfo) -> None:
        """Open it."""
        self._try(lambda: self._mirror.start(run))

    def held(self) -> set[MirrorRowKey]:
        """The rows that it shows already."""
        found: set[MirrorRowKey] = set()
        self._try(lambda: found.update(self._mirror.held()))
        return found

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show a step."""
        self._try(lambda: self._mirror.log(step, metrics))

    def alert(self, title: str, text: str) -> None:
        """Tell somebody."""
        self._try(lambda: self._mirror.alert(title, text))

    def table(self, name: str, step: int, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Show a table of a step, where the mirror can."""
        show = getattr(self._mirror, "table", None)
        if show is not None:
            self._try(lambda: show(name, step, columns, rows))

    def figure(self, path: Path) -> None:
        """Show the run's figure, a PNG, where the mirror can."""
        show = getattr(self._mirror, "figure", None)
        if show is not None:
            self._try(lambda: show(path))

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
