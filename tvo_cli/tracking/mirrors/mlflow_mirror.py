"""The MLflow mirror: a run of the tracking server or of the SQLite file that MLFLOW_TRACKING_URI names."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.tracking.mirrors.mirror import MirrorRowKey, RunInfo, mirrored_row_keys
from tvo_cli.tracking.mirrors.wandb_id import wandb_run_id

log = logging.getLogger("tvo")
RUN_ID = "tvo.run_id"  # the tag by which a resumed run finds its own
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # it would tell its makers of every run
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # it would tear the console's panel
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
NOTE = "mlflow.note.content"  # the description on the run's page
MOST_PARAMETERS = 100  # that one request may set
MOST_CHARACTERS = 500  # of a parameter: what servers before MLflow 2.10 take


class MlflowMirror:
    """A mirror that is a run of MLflow; the project is its experiment."""

    def __init__(self, project: str, *, system_charts: bool = False) -> None:
        self._project, self._system_charts = project, system_charts
        self._client: Any = None
        self._monitor: Any = None
        self._id = ""
        if find_spec("mlflow") is None:  # said before anything is written
            remedy = "Install it: pip install 'tvo-cli[mlflow]', or take logger=none."
            raise UserError("logger", "mlflow", "the package mlflow is not installed.", remedy)

    def start(self, run: RunInfo) -> None:
        """Open the run, or go on with it."""
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        import mlflow

        self._client = mlflow.MlflowClient()
        experiment = self._experiment()
        own = wandb_run_id(run.folder)
        found = self._client.search_runs([experiment], f"tags.`{RUN_ID}` = '{own}'", max_results=1)
        self._id = found[0].info.run_id if found else self._new_run(experiment, run, own)
        self._client.update_run(self._id, status="RUNNING")
        if self._system_charts:
            self._start_system_charts()
        log.info("mlflow: run %s of experiment %s in %s", run.name, self._project, mlflow.get_tracking_uri())

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(self._project)
        return str(found.experiment_id if found else self._client.create_experiment(self._project))

    def _new_run(self, experiment: str, run: RunInfo, own: str) -> str:
        """Make the run, with its config as parameters and as config.yaml, and its command as the description."""
        from mlflow.entities import Param

        tags = {"algorithm": run.group, "model": run.model, "dataset": run.dataset, "sweep": run.sweep}
        made = self._client.create_run(
            experiment,
            run_name=run.name,
            tags={RUN_ID: own, NOTE: f"`{run.command}`", **{name: text for name, text in tags.items() if text}},
        )
        name = str(made.info.run_id)
        settings = [Param(key, str(value)[:MOST_CHARACTERS]) for key, value in _flat_settings(run.config)]
        for at in range(0, len(settings), MOST_PARAMETERS):
            self._client.log_batch(name, params=settings[at : at + MOST_PARAMETERS])
        self._client.log_dict(name, dict(run.config), "config.yaml")
        return name

    def _start_system_charts(self) -> None:
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        self._monitor = SystemMetricsMonitor(self._id, resume_logging=True)
        self._monitor.start()

    def held(self) -> set[MirrorRowKey]:
        """The rows that the run has, by the history of each of its metrics."""
        names = [name for name in self._client.get_run(self._id).data.metrics if not name.startswith("system/")]
        history = ((name, point.step) for name in names for point in self._client.get_metric_history(self._id, name))
        return set().union(*(mirrored_row_keys(int(step), [name]) for name, step in history))

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Send a step."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(
            self._id, metrics=[Metric(mlflow_metric_name(name), float(v), now, step) for name, v in metrics.items()]
        )

    def alert(self, title: str, text: str) -> None:
        """The last alert, as a tag: MLflow has nobody to tell."""
        self._client.set_tag(self._id, "alert", f"{title}: {text}")

    def table(self, name: str, step: int, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Rows added to a table of the run's page, with their step."""
        cells = {"step": [step] * len(rows)}
        self._client.log_table(
            self._id, cells | {column: [row[at] for row in rows] for at, column in enumerate(columns)}, f"{name}.json"
        )

    def figure(self, path: Path) -> None:
        """The run's figure, among its files."""
        self._client.log_artifact(self._id, str(path), "figures")

    def finish(self, summary: Mapping[str, Any], exit_code: int) -> None:
        """Write the summary and the status."""
        if self._client is None or not self._id:
            return
        if self._monitor is not None:
            self._monitor.finish()
        self._client.log_dict(self._id, dict(summary), "summary.json")
        self._client.set_terminated(self._id, "FAILED" if exit_code else "FINISHED")
        self._client = None


def mlflow_metric_name(name: str) -> str:
    """Return a metric's name as MLflow takes it: `eval/pass@1` as `eval/pass_at_1`."""
    return name.replace("@", "_at_")


def _flat_settings(tree: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Return dotted keys and values of a config, as MLflow's parameters."""
    if not isinstance(tree, Mapping):
        return [(prefix.rstrip("."), tree)]
    return [pair for name, value in tree.items() for pair in _flat_settings(value, f"{prefix}{name}.")]
