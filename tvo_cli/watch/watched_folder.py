"""The runs below a folder as the page asks for them: what there is, how they stand, their curves."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from tvo_cli import escaping
from tvo_cli.errors import UserError
from tvo_cli.report.next_commands import next_replay_commands
from tvo_cli.report.run_folder_reading import LoadedRun, read_run_json
from tvo_cli.report.run_listing import ListedRun, list_run, run_folders, settings_in_which_runs_differ
from tvo_cli.tracking import run_status
from tvo_cli.watch import completions
from tvo_cli.watch.envelope import thin_curve
from tvo_cli.watch.metric_table import MetricTableReader

FILES = ("config.yaml", "metrics.jsonl", "collapse.json", "summary.json", run_status.STATUS_FILE)
READING = 0.3  # seconds of reading an answer may take; the rest is read between the answers
PAUSE = 0.02  # seconds in which an answer may come between
POINTS = 600  # of a curve, at most
ALL_POINTS = 60_000  # of an answer: what a browser reads and draws in a moment
LEAST_POINTS = 60


class WatchedFolder:
    """The runs below a folder, read again as far as they have changed. A folder that is not there has none yet."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = Lock()
        self._readers: dict[str, MetricTableReader] = {}
        self._reads_on = False
        self._listed: dict[str, tuple[object, ListedRun]] = {}  # with the times of the files that it was read from

    def runs(self) -> dict[str, Any]:
        """How every run stands, the newest files read."""
        with self._lock:
            places = dict(self._places())
            found = {name: self._list(name, place) for name, place in places.items()}
            listed = {name: run for name, run in found.items() if run is not None}
            trained = {name: run for name, run in listed.items() if _has_curves_for_page(run)}
            self._forget_all_but(trained)
            apart = settings_in_which_runs_differ(list(trained.values()))
            return {
                "root": escaping.terminal(self.root),
                "exists": self.root.is_dir(),
                "others": len(listed) - len(trained),
                "unreadable": [name for name, run in found.items() if run is None],
                "runs": [_run_for_page(name, run, apart[run.folder]) for name, run in trained.items()],
            }

    def curves(self, names: Collection[str], wanted: Sequence[str], since: str) -> dict[str, Any]:
        """The curves of some metrics of some runs, thinned; nothing but the version where nothing is new."""
        with self._lock:
            unread = self._read_new_rows()
            if unread and not self._reads_on:
                self._reads_on = True
                Thread(target=self._read_to_the_end, name="reading", daemon=True).start()
            chosen = [name for name in names or self._readers if name in self._readers]  # none named: all
            version = f"{sum(reader.version for reader in self._readers.values())}.{len(self._readers)}"
            told = {"version": version, "unread": unread, "metrics": sorted(self._metric_names())}
            if version == since:
                return {**told, "unchanged": True}
            most = min(POINTS, max(LEAST_POINTS, ALL_POINTS // max(len(chosen) * len(wanted), 1)))
            broken = {name: count for name in chosen if (count := self._readers[name].broken)}
            curves = {metric: dict(self._curves_of_metric(metric, chosen, most)) for metric in wanted}
            return {**told, "broken": broken, "curves": curves}

    def responses(self, name: str, file: str | None) -> dict[str, Any]:
        """The files of responses of a run, and the rows of one: the newest of a step where none is named."""
        with self._lock:
            place = self._readers[name].path.parent if name in self._readers else None
        if place is None:
            return {"files": [], "file": None, "rows": []}
        files = completions.response_files(place)
        trained = [one["file"] for one in files if not one["evaluation"]] or [one["file"] for one in files]
        chosen = file or (trained[0] if trained else None)
        return {"files": files, "file": chosen, "rows": completions.response_rows(place, chosen) if chosen else []}

    def _places(self) -> Iterator[tuple[str, Path]]:
        """The run folders by their names on the page; one with a file that leads out of it is none."""
        for place in sorted(run_folders(self.root, links=False)) if self.root.is_dir() else ():
            if not any((place / name).is_symlink() for name in FILES):
                name = place.absolute().name if place == self.root else str(place.relative_to(self.root))
                yield escaping.terminal(name), place

    def _list(self, name: str, place: Path) -> ListedRun | None:
        """The run's line of `tvo ls`, read again where a file has changed or its process may have ended."""
        times = tuple(_modification_stamp(place / file) for file in FILES)
        known = self._listed.get(name)
        if known is not None and known[0] == times and known[1].state != run_status.RUNNING:
            return known[1]
        try:
            run = list_run(place)
        except (UserError, OSError, ValueError):  # half a file, of a run that is just beginning or was damaged
            return None if known is None else known[1]
        self._listed[name] = (times, run)
        if _has_curves_for_page(run):
            self._readers.setdefault(name, MetricTableReader(place / "metrics.jsonl"))
        return run

    def _forget_all_but(self, found: Mapping[str, ListedRun]) -> None:
        for name in [name for name in self._readers if name not in found]:
            del self._readers[name]

    def _read_new_rows(self) -> int:
        """Read what is new for a moment; how many runs are not read to their end."""
        until, left = time.monotonic() + READING, list(self._readers.values())
        while left and time.monotonic() < until:
            reader = left.pop(0)
            if reader.read():
                left.append(reader)
        return len(left)

    def _read_to_the_end(self) -> None:
        """Read what an answer left, in a thread of its own."""
        while self._reads_on:
            time.sleep(PAUSE)
            with self._lock:
                self._reads_on = self._read_new_rows() > 0

    def _metric_names(self) -> set[str]:
        return {name for reader in self._readers.values() for name in reader.metric_names()}

    def _curves_of_metric(self, metric: str, names: Sequence[str], most: int) -> Iterator[tuple[str, Any]]:
        for name in names:
            steps, values = self._readers[name].column(metric)
            if len(values):
                yield name, thin_curve(steps, values, most)


def _modification_stamp(path: Path) -> tuple[int, int]:
    """When a file of a watched run was last written, and its size: whether it is read again."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def _has_curves_for_page(run: ListedRun) -> bool:
    """Whether a run of the watched folder has curves that the page draws: a training, or what has a metrics.jsonl."""
    return run.command == "train" or (run.folder / "metrics.jsonl").is_file()


def _run_for_page(name: str, run: ListedRun, apart: Mapping[str, Any]) -> dict[str, Any]:
    collapse = _collapse_of_run(run.folder)
    bare = LoadedRun(run.folder, {}, (), (), {}, collapse)
    firings = [one for one in collapse.get("firings") or () if isinstance(one, dict)]
    reward = run.reward if run.reward is not None and math.isfinite(run.reward) else None
    return {
        "name": name,
        "state": escaping.terminal(run.state),
        "step": run.step,
        "steps": run.steps,
        "reward": reward,
        "verdict": escaping.terminal(run.verdict),
        "reason": escaping.terminal(run.reason),
        "differs": {escaping.terminal(key): escaping.terminal(value) for key, value in apart.items()},
        "firings": [_firing_for_page(one) for one in firings if isinstance(one.get("step"), int)],
        "replay": [escaping.terminal(" ".join(words)) for words in next_replay_commands(bare)],
    }


def _firing_for_page(firing: Mapping[str, Any]) -> dict[str, Any]:
    collapse = firing.get("severity") != "warning"
    return {"step": firing["step"], "rule": escaping.terminal(firing.get("rule", "?")), "collapse": collapse}


def _collapse_of_run(folder: Path) -> Mapping[str, Any]:
    """The collapse verdict of a watched run for the page; empty where there is none."""
    try:
        return read_run_json(folder / "collapse.json")
    except (UserError, OSError):
        return {}
