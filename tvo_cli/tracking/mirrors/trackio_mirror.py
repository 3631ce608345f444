"""The trackio mirror: a run in trackio's own SQLite file on this machine, which `trackio show` draws."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from tvo_cli import escaping
from tvo_cli.errors import UserError
from tvo_cli.tracking.mirrors.mirror import MirrorRowKey, RunInfo, mirrored_row_keys
from tvo_cli.tracking.mirrors.wandb_id import wandb_run_id

log = logging.getLogger("tvo")
FIGURE = "figure"
T = TypeVar("T")


class TrackioMirror:
    """A mirror that is a run of trackio."""

    def __init__(self, project: str, *, system_charts: bool = False) -> None:
        self._project, self._system_charts = project, system_charts
        self._run: Any = None
        self._name = ""
        self._step = 0
        if find_spec("trackio") is None:  # said before anything is written
            remedy = "Install it: pip install 'tvo-cli[trackio]', or take logger=none."
            raise UserError("logger", "trackio", "the package trackio is not installed.", remedy)

    def start(self, run: RunInfo) -> None:
        """Open the run, or go on with it; its name ends with the id of the run folder, for names come again."""
        import trackio
        from trackio.utils import TRACKIO_DIR

        self._name = f"{run.name}-{wandb_run_id(run.folder)}"
        self._run = _silently(
            lambda: trackio.init(
                project=self._project,
                name=self._name,
                group=run.sweep or run.group,
                config={**run.config, "command": run.command},
                resume="allow",
                embed=False,
                auto_log_gpu=None if self._system_charts else False,  # None: what it finds
                auto_log_cpu=None if self._system_charts else False,
            )
        )
        log.info("trackio: run %s in %s; to look: trackio show --project %s", self._name, TRACKIO_DIR, self._project)

    def held(self) -> set[MirrorRowKey]:
        """The rows that are in its file."""
        from trackio.sqlite_storage import SQLiteStorage

        rows = SQLiteStorage.get_logs(self._project, self._name, run_id=self._run.id)
        names = [(row.get("step"), [name for name in row if name not in ("step", "timestamp")]) for row in rows]
        return set().union(*(mirrored_row_keys(int(step), own) for step, own in names if step is not None))

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Send a step; a thread of trackio writes it."""
        self._step = step
        self._run.log(dict(metrics), step=step)

    def alert(self, title: str, text: str) -> None:
        """An alert on the run's page, and to TRACKIO_WEBHOOK_URL where one is set."""
        _silently(lambda: self._run.alert(title=title, text=text))

    def table(self, name: str, step: int, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table of the run's page, which shows texts as Markdown: what a model wrote is escaped for it."""
        import trackio

        cells = [[escaping.markdown(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
        self._run.log({name: trackio.Table(columns=list(columns), data=cells)}, step=step)

    def figure(self, path: Path) -> None:
        """The run's figure, beside its last step."""
        import trackio

        _silently(lambda: self._run.log({FIGURE: trackio.Image(str(path))}, step=self._step))

    def finish(self, summary: Mapping[str, Any], exit_code: int) -> None:
        """Have everything written. trackio keeps no summary; summary.json does."""
        if self._run is not None:
            import trackio

            _silently(trackio.finish)  # of the run that is open: its own finish would be done again at the exit
            self._run = None


def _silently(act: Callable[[], T]) -> T:
    """Call it without what it prints, which would tear the console's panel."""
    with redirect_stdout(io.StringIO()):
        return act()
