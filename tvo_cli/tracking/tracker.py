"""The tracker, which the training loop reports everything to."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from tvo_cli import config as configuration
from tvo_cli import redaction
from tvo_cli.tracking import atomic_files, run_folder, run_log, run_status
from tvo_cli.tracking import metrics_file as recorded
from tvo_cli.tracking.alerts.alert import Alert
from tvo_cli.tracking.alerts.alert_sender import AlertSender
from tvo_cli.tracking.metrics_file import MetricsFile
from tvo_cli.tracking.mirrors import completion_table
from tvo_cli.tracking.mirrors.mirror import DeduplicatingMirror, RunInfo
from tvo_cli.tracking.mirrors.mirror_choice import mirrors_of_logger
from tvo_cli.tracking.terminal.console import ConsoleDisplay, ConsoleRunProgress, choose_display

log = logging.getLogger("tvo")


class Tracker:
    """The tracker of a run: opens the run folder on entering, closes every view on leaving, whatever happened.

    `log` and `log_evaluation` take a step; `rewind(step)` (after a resume) forgets what came later.
    Without a rewind the first row of a kind replaces rows of the same kind from its step on: a run that
    starts anew in an old folder leaves no trace of the old one's metrics.
    """

    def __init__(
        self, config: Any, folder: Path, *, console: ConsoleDisplay | None = None, program: str = "tvo"
    ) -> None:
        self._config, self._folder = config, Path(folder)
        self._command = configuration.rerun_command(program)
        self._run = run_info_for_tracker(config, self._folder, self._command)
        self._mirrors = [DeduplicatingMirror(mirror) for mirror in mirrors_of_logger(config.logger)]
        self._alerts = AlertSender.of(config.logger)
        chosen = config.logger.get("console", "auto"), float(config.logger.get("every_seconds", 0.0))
        self._display = console or choose_display(*chosen)
        self._progress = ConsoleRunProgress(self._run)
        self._fresh = {True: True, False: True}  # kinds of rows not yet written: evaluations, steps
        self._summary: dict[str, Any] = {}

    def __enter__(self) -> Tracker:
        with ExitStack() as resources:  # what was opened is closed again when a later part cannot be
            self._open(resources)
            self._resources = resources.pop_all()
        return self

    def _open(self, resources: ExitStack) -> None:
        """Everything that can fail for want of space or permission fails here, before the first step."""
        log_file = run_log.open_run_log(self._folder / "run.log")
        resources.callback(run_log.close_run_log, log_file)
        run_folder.describe_run(self._folder, self._config, self._command)
        run_folder.set_aside_earlier_run(self._folder / "summary.json", "previous")  # the run is not finished any more
        self._file = MetricsFile(self._folder / "metrics.jsonl", log.warning)
        resources.callback(self._file.close)
        relay = _TrackerLogHandler(self._display)
        logging.getLogger().addHandler(relay)
        resources.callback(logging.getLogger().removeHandler, relay)
        resources.callback(self._display.close)
        self._progress.start()
        self._display.start(self._progress)
        for mirror in self._mirrors:
            mirror.start(self._run)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            log.error("stopped by %s: %s", type(error).__name__, error, extra={"shown": True})  # by whoever catches it
        if isinstance(error, Exception):  # whoever interrupts a run knows
            self._tell_people("failed", f"{type(error).__name__}: {error}", self._progress.step, "collapse")
        with self._resources:
            self._alerts.close()
            self._display.close()
            for mirror in self._mirrors:
                mirror.finish(self._summary, exit_code=0 if error is None else 1)

    def rewind(self, step: int) -> None:
        """Forget the rows after a step: the run goes on from there. The mirrors are shown what they lack before it."""
        held = self._file.last_step()
        if held < step:
            log.warning(
                "metrics.jsonl ends at step %d, the checkpoint is of step %d: the rows between are lost", held, step
            )
        forgotten = self._file.truncate_after(step)
        self._progress.trained = recorded.training_seconds(self._folder / "metrics.jsonl")
        if forgotten:
            log.info("metrics.jsonl: %d rows after step %d are done again", forgotten, step)
        for row in recorded.read_metrics(self._file.path) if self._mirrors else ():
            self._show(row.pop("step"), row)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record a training step."""
        self._record(step, metrics, evaluations=False)
        self._progress.add(step, metrics)
        self._display.step(self._progress)

    def log_evaluation(self, step: int, metrics: Mapping[str, float]) -> None:
        """Record an evaluation after a step."""
        self._record(step, metrics, evaluations=True)
        self._progress.add_evaluation(step, metrics)
        log.info("evaluation: %s", self._progress.evaluation, extra={"shown": True})
        self._display.evaluated(self._progress)

    def _record(self, step: int, metrics: Mapping[str, float], *, evaluations: bool) -> None:
        if self._fresh[evaluations]:
            self._file.forget_from(step, evaluations=evaluations)
            self._fresh[evaluations] = False
        self._file.append(step, metrics)
        self._show(step, metrics)

    def _show(self, step: int, metrics: Mapping[str, float]) -> None:
        for mirror in self._mirrors:
            mirror.log(step, metrics)

    def log_completions(self, step: int, rows: Iterable[Mapping[str, Any]]) -> None:
        """Show some of a step's responses in the mirrors; responses/ has them all the same."""
        if self._mirrors:
            cells = completion_table.completion_rows(rows)
        for mirror in self._mirrors:
            mirror.table(completion_table.NAME, step, completion_table.COLUMNS, cells)

    @property
    def shows_figures(self) -> bool:
        """Whether a mirror is there to show the run's figure."""
        return bool(self._mirrors)

    def show_figure(self, path: Path) -> None:
        """Show the run's figure in the mirrors."""
        for mirror in self._mirrors:
            mirror.figure(path)

    def sync(self) -> None:
        """See to it that every row is on the disk: a checkpoint must not outlive the rows before it."""
        self._file.sync()

    def alert(self, rule: str, text: str, *, step: int, severity: str = "warning") -> None:
        """Say at once that something is wrong: log, console, and who and what reaches a person (`logger.alerts`)."""
        title = f"{rule} at step {step}"
        self._progress.alerts.append(f"{title}: {text}")
        log.warning("%s: %s", title, text)
        self._display.step(self._progress) if self._progress.latest else None
        self._tell_people(rule, text, step, severity)

    def _tell_people(self, rule: str, text: str, step: int, severity: str) -> None:
        if not self._alerts.passes(rule, severity):
            return
        text, repeated = redaction.without_secrets(text), self._alerts.held_back(rule)
        for mirror in self._mirrors:
            mirror.alert(f"{rule} at step {step}", text)
        self._alerts.send(Alert(rule, severity, step, text, self._run.name, str(self._folder), repeated))

    def announce(self, text: str) -> None:
        """Say something on the console at once; callable from a signal handler."""
        self._display.announce(text)

    def finish(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Write summary.json; what was written. Its seconds are those of all steps, in whichever process."""
        self._summary = {
            **summary,
            "name": self._run.name,
            "seconds": round(recorded.training_seconds(self._folder / "metrics.jsonl"), 3),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "fingerprint": configuration.config_fingerprint(self._config),
        }
        atomic_files.write_json_atomically(self._folder / "summary.json", self._summary)
        return self._summary


class _TrackerLogHandler(logging.Handler):
    """A log handler that shows the program's messages, and everybody's warnings, between the steps."""

    def __init__(self, shown: ConsoleDisplay) -> None:
        super().__init__(logging.INFO)
        self._shown = shown

    def emit(self, record: logging.LogRecord) -> None:
        """Ours from INFO on, others' from WARNING on; not what the display has shown itself."""
        ours = record.name == "tvo" or record.name.startswith("tvo.")
        if getattr(record, "shown", False) or not (ours or record.levelno >= logging.WARNING):
            return
        mark = "⚠ " if record.levelno >= logging.WARNING else ""
        self._shown.say(f"{mark}{record.getMessage()}")


def run_info_for_tracker(config: Any, folder: Path, command: str = "") -> RunInfo:
    """Return a run's introduction for mirrors and console, from its config."""
    tree = redaction.redacted(configuration.resolved_tree(config))
    return RunInfo(
        name=folder.name,
        group=str(tree["algorithm"]["name"]),
        model=str(tree["model"]["name"]),
        dataset=str(tree["dataset"]["name"]),
        steps=int(tree["trainer"]["steps"]),
        folder=folder,
        config=tree,
        sweep=sweep_name_of_tracked_run(folder),
        command=command,
    )


def sweep_name_of_tracked_run(folder: Path) -> str:
    """Return the name of the sweep whose folder the run lies in; "" outside of one."""
    above = folder.absolute().parent
    return above.name if any((above / name).is_file() for name in (run_status.SWEEP_INDEX, "multirun.yaml")) else ""
