"""The monitor of any training loop: it is shown a step's metrics and says which failure begins."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tvo_cli.diagnosis.diagnosis import Diagnosis, diagnose
from tvo_cli.diagnosis.examiner import Examiner
from tvo_cli.diagnosis.finding import CRITICAL, Finding
from tvo_cli.diagnosis.logs_to_diagnose import logged_accuracy_term, with_reward_terms
from tvo_cli.diagnosis.training_log import OTHER, Row, RunFacts, TrainingLog, bounded_row
from tvo_cli.errors import UserError
from tvo_cli.nearest_names import nearest_names
from tvo_cli.runs.tool_mappings import KNOWN, PLAIN, MappedColumns, ToolMapping, find_mapping
from tvo_cli.tracking.alerts.alert import Alert
from tvo_cli.tracking.alerts.alert_sender import AlertSender
from tvo_cli.tracking.metric_names import is_known_metric

log = logging.getLogger("tvo")
SEVERITY_OF_ALERT = {CRITICAL: "collapse"}
BESIDE = frozenset({"data/epoch", "tokens", "time/step", "optimizer/lr"})  # of the lines at a run's end too
TOOLS = {mapping.tool: mapping for mapping in (*KNOWN, PLAIN)}


class StabilityMonitor:
    """Watches a training loop by the rules of `tvo diagnose`.

    >>> monitor = StabilityMonitor(planned=200)
    >>> for step in range(1, 31):
    ...     found = monitor.log(step, {"reward/mean": 0.5, "policy/entropy": 0.6, "gradient/norm": 1.0})
    >>> monitor.collapsed
    False
    """

    def __init__(
        self,
        *,
        planned: int | None = None,
        prompts: int | None = None,
        samples: int | None = None,
        clip_norm: float | None = None,
        tool: str | None = None,
        name: str = "run",
        alerts: Mapping[str, Any] | None = None,
    ) -> None:
        """What is known of the run.

        Args:
            planned: steps that it is to have.
            prompts: prompts a step.
            samples: responses a prompt.
            clip_norm: the norm that gradients are cut to before the optimiser has them.
            tool: trl, verl or prime-rl, whose names the metrics have; other: ours. None: found by the names.
            name: of the run, in alerts.
            alerts: who is told besides the log, with the keys of `logger.alerts` (docs/alerts.md).

        Raises:
            UserError: the tool is none of those.
        """
        self.facts = RunFacts(
            name=name,
            tool=tool or OTHER,
            planned=planned,
            prompts=prompts,
            samples=samples,
            settings={"optimizer.clip_norm": clip_norm},
        )
        self.rows: list[Row] = []  # under our names, one a step
        self._names = MappedColumns(_mapping_of_tool(tool)) if tool else None
        self._examiner = Examiner(self.facts)
        self._accuracy: str | None = None  # the function of a reward that is one, where none is logged
        self._evaluation: dict[str, float] = {}  # counts to the next step, for it is measured after a step
        self._alerts = AlertSender.of({"alerts": dict(alerts or {})})

    def log(self, step: int, metrics: Mapping[str, Any]) -> list[Finding]:
        """Show the metrics of a step; return the findings that begin at it or become critical.

        What is no number is passed over. Metrics of an evaluation alone are held until the next step.
        """
        row = self._with_accuracy(with_reward_terms(self._translated(metrics)))
        if not any(_is_training_metric(name) for name in row):
            self._evaluation |= row
            return []
        if self.rows and step <= self.rows[-1]["step"]:
            log.warning("step %d was logged after step %d: it is left out", step, self.rows[-1]["step"])
            return []
        self.rows.append(bounded_row({**self._evaluation, **row, "step": step}))
        self._evaluation = {}
        found = self._examiner.observe(self.rows[-1])
        for finding in found:
            self._tell(finding)
        return found

    @property
    def findings(self) -> list[Finding]:
        """All findings so far, the worst first."""
        return self._examiner.findings()

    @property
    def collapsed(self) -> bool:
        """Whether a critical failure is there at the last step."""
        return any(finding.severity == CRITICAL and finding.active for finding in self.findings)

    def diagnosis(self) -> Diagnosis:
        """Return what `tvo diagnose` says of the steps so far, with cost and remedies."""
        return diagnose(TrainingLog(self.facts, tuple(self.rows)))

    def close(self) -> None:
        """Wait for alerts that are on their way, at most their deadline."""
        self._alerts.close()

    def _translated(self, metrics: Mapping[str, Any]) -> dict[str, float]:
        numbers = {name: number for name, value in metrics.items() if (number := _metric_number(value)) is not None}
        names = self._names or MappedColumns(find_mapping(numbers))
        row = names.row({**numbers, names.step: 0})
        if any(
            map(_is_training_metric, row)
        ):  # an evaluation before the first step does not show whose names these are
            self._names = names
        return {name: float(value) for name, value in row.items() if name != "step"}

    def _with_accuracy(self, row: Row) -> Row:
        self._accuracy = self._accuracy or logged_accuracy_term([row])
        if self._accuracy is None or self._accuracy not in row or "accuracy/fresh" in row:
            return row
        return {**row, "accuracy/fresh": row[self._accuracy]}

    def _tell(self, finding: Finding) -> None:
        log.warning("%s since step %d (%s): %s", finding.failure, finding.first_step, finding.severity, finding.message)
        severity = SEVERITY_OF_ALERT.get(finding.severity, finding.severity)
        if self._alerts.passes(finding.failure, severity):
            repeated, step = self._alerts.held_back(finding.failure), finding.alarm_step
            folder = str(Path.cwd())
            self._alerts.send(
                Alert(finding.failure, severity, step, finding.message, self.facts.name, folder, repeated)
            )


def _mapping_of_tool(tool: str) -> ToolMapping:
    """The names of the trainer that a monitor is told; UserError for one that nobody knows."""
    if tool not in TOOLS:
        raise UserError("tool", tool, "not a choice.", nearest_names(str(tool), TOOLS))
    return TOOLS[tool]


def _metric_number(value: Any) -> float | None:
    """A number of Python, numpy or torch; None of anything else."""
    if isinstance(value, bool | str) or value is None:
        return None
    try:
        return float(value) if isinstance(value, int | float) else float(value.item())
    except (
        AttributeError,
        TypeError,
        ValueError,
        RuntimeError,
        OverflowError,
    ):  # no scalar, or none that a float holds
        return None


@cache
def _is_training_metric(name: str) -> bool:
    """Whether the monitor is shown a training step's metric by this name."""
    return not name.startswith("eval/") and name not in BESIDE and is_known_metric(name)
