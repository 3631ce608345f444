"""`tvo eval`: run or regrade an evaluation, and print its tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tvo_cli import escaping
from tvo_cli.cli.override_args import (
    PASS_ARGUMENTS_THROUGH,
    ConfigDir,
    Debug,
    EvalOverrides,
    Multirun,
    Shown,
    hydra_arguments,
)

if TYPE_CHECKING:
    from omegaconf import DictConfig

Regrade = Annotated[
    Path | None, typer.Option("--regrade", metavar="RUN", help="Judge an evaluation's completions again; no model.")
]
PredictOnly = Annotated[bool, typer.Option("--predict-only", help="Write completions, grade nothing.")]
Limit = Annotated[int | None, typer.Option("--limit", help="The first so many problems of each suite.")]
Ids = Annotated[str | None, typer.Option("--ids", help="Only these problems: a,b,c or a file with one id a line.")]


def add_to(app: typer.Typer) -> None:
    """Register `tvo eval`."""
    app.command("eval", context_settings=PASS_ARGUMENTS_THROUGH)(evaluate)


def evaluate(
    overrides: EvalOverrides = None,
    multirun: Multirun = False,
    cfg: Shown = None,
    config_dir: ConfigDir = None,
    regrade: Regrade = None,
    predict_only: PredictOnly = False,
    limit: Limit = None,
    ids: Ids = None,
    debug: Debug = False,
) -> None:
    """Evaluate a model on suites (evaluation=math500,aime24): avg@k, pass@k and maj@k with intervals.

    Every completion is kept, and the same command goes on where it was stopped.
    """
    from tvo_cli.config.evaluation_choices import suites_to_evaluate_as_list

    words = [suites_to_evaluate_as_list(word) for word in hydra_arguments(overrides, multirun, cfg, config_dir)]
    words += ["evaluation.predict_only=true"] if predict_only else []
    words += [f"evaluation.limit={limit}"] if limit is not None else []
    words += [f"evaluation.ids={json.dumps(problem_ids_of_option(ids))}"] if ids is not None else []
    if regrade is not None:
        _regrade_evaluation(regrade, words)
        return
    from tvo_cli.cli.startup_message import announce_loading, say_on_stderr
    from tvo_cli.experiment.unnamed_suite import name_heldout_suite

    announce_loading("tvo eval", words)
    words = name_heldout_suite(words, partial(say_on_stderr, "tvo eval"))
    from tvo_cli.cli.launch import launch

    raise typer.Exit(launch(_run_evaluation, "eval", words, program="tvo eval", debug=debug, result=True))


def problem_ids_of_option(ids: str) -> list[str]:
    """Return the problem ids of `--ids`: of a file, or between commas."""
    if Path(ids).is_file():
        return [line.strip() for line in Path(ids).read_text(encoding="utf-8").splitlines() if line.strip()]
    return [part.strip() for part in ids.split(",") if part.strip()]


def _run_evaluation(config: DictConfig) -> dict[str, Any]:
    """Evaluate the model of a config, with a progress bar, and write the report."""
    from tvo_cli.cli.launch import keys_given_to_job
    from tvo_cli.cli.startup_message import say_on_stderr
    from tvo_cli.job.evaluation import evaluate_and_report
    from tvo_cli.tracking.terminal.evaluation_progress import evaluation_progress

    with evaluation_progress() as watch:
        summary = evaluate_and_report(config, watch, keys_given_to_job(), partial(say_on_stderr, "tvo eval"))
    print_evaluation_report(summary, Path(config.output_dir))
    return summary


def _regrade_evaluation(folder: Path, words: Sequence[str]) -> None:
    """Grade an evaluation's completions again (`--regrade`), and write the report."""
    from tvo_cli import config as configuration
    from tvo_cli.cli.startup_message import say_repeated_keys
    from tvo_cli.evaluation.pipeline import regrade_folder
    from tvo_cli.report.evaluation_report import write_evaluation_files

    say_repeated_keys("tvo eval", words)
    config = configuration.compose(words, "eval")
    summary = regrade_folder(folder, config.reward, float(config.evaluation.confidence))
    write_evaluation_files(summary, folder)
    print_evaluation_report(summary, folder)
    print(f"regraded: {summary['changed']} verdicts changed; the old ones are in responses.previous.jsonl")


def print_evaluation_report(summary: Mapping[str, Any], folder: Path) -> None:
    """Print an evaluation's tables."""
    from tvo_cli.cli import printing
    from tvo_cli.report import evaluation_report as report

    printing.print_table(report.HEADINGS, report.suite_rows(summary), headed=True)
    for title, headings, rows in report.detail_tables(summary):
        print(f"\n{escaping.terminal(title)}")
        printing.print_table(headings, rows, headed=True)
    print(
        f"\nwritten to {escaping.terminal(folder)}: summary.json, results.json, table.md, responses.jsonl", flush=True
    )
