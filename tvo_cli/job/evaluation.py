"""One evaluation with everything that it leaves: summary, tables, and what the mirrors are sent."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omegaconf import DictConfig


def evaluate_and_report(
    config: DictConfig, watch: Callable[[Any], object], given: Collection[str], tell: Callable[[str], object]
) -> dict[str, Any]:
    """Evaluate the model of a config, send the scores to the mirrors and write the tables; return the summary.

    `watch` sees every step, `given` are the keys that the user set, `tell` gets what was taken from a run.
    """
    from tvo_cli.config.alert_checks import refuse_alerts
    from tvo_cli.experiment.early_checks import check_evaluation_early

    check_evaluation_early(config)
    from tvo_cli.experiment import evaluate
    from tvo_cli.report import evaluation_report
    from tvo_cli.tracking.mirrors.evaluation_mirror import send_evaluation_to_mirrors

    refuse_alerts(config.logger)
    summary: dict[str, Any] = evaluate(config, watch, given, tell)
    folder = Path(config.output_dir)
    send_evaluation_to_mirrors(config, evaluation_report.evaluation_metrics(summary), folder / "responses.jsonl")
    evaluation_report.write_evaluation_files(summary, folder)
    return summary
