"""`tvo eval`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tvo_cli import escaping
from tvo_cli.cli.override_args import UNTOUCHED, ConfigDir, Debug, EvalOverrides, Multirun, Shown, hydra_words

if TYPE_CHECKING:
    from omegaconf import DictConfig

Regrade = Annotated[
    Path | None, typer.Option("--regrade", metavar="RUN", help="Judge an evaluation's completions again; no model.")
]
PredictOnly = Annotated[bool, typer.Option("--predict-only", help="Write completions, grade nothing.")]
Limit = Annotated[int | None, typer.Option("--limit", help="The first so many problems of each suite.")]
Ids = Annotated[str | None, typer.Option("--ids", help="Only these problems: a,b,c or a file with one id a line.")]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("eval", context_settings=UNTOUCHED)(evaluate)


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
    words = [suites_as_list(word) for word in hydra_words(overrides, multirun, cfg, config_dir)]
    words += ["evaluation.predict_only=true"] if predict_only else []
    words += [f"evaluation.limit={limit}"] if limit is not None else []
    words += [f"evaluation.ids={json.dumps(listed(ids))}"] if ids is not None else []
    if regrade is not None:
        _regrade(regrade, words)
        return
    from tvo_cli.cli.startup_message import opening

    opening("tvo eval", words)
    from tvo_cli.cli.launch import launch

    raise typer.Exit(launch(_run, "eval", words, program="tvo eval", debug=debug, result=True))


def suites_as_list(word: str) -> str:
    """evaluation=a,b is one run over two suites, not a sweep."""
    key, equals, value = word.partition("=")
    if key != "evaluation" or not equals or value.startswith("["):
        return word
    return f"evaluation=[{value}]"


def listed(ids: str) -> list[str]:
    """The ids of `--ids`: of a file, or between commas."""
    if Path(ids).is_file():
        return [line.strip() for line in Path(ids).read_text(encoding="utf-8").splitlines() if line.strip()]
    return [part.strip() for part in ids.split(",") if part.strip()]


def _run(config: DictConfig) -> dict[str, Any]:
    from tvo_cli.cli.eval_progress import watching
    from tvo_cli.cli.train import quiet
    from tvo_cli.experiment import evaluate as run_evaluation

    quiet()
    with watching() as watch:
        summary: dict[str, Any] = run_evaluation(config, watch)
    mirror(config, summary)
    conclude(summary, Path(config.output_dir))
    return summary


def _regrade(folder: Path, words: Sequence[str]) -> None:
    from tvo_cli import config as configuration
    from tvo_cli.evaluation.pipeline import regrade_folder

    config = configuration.compose(words, "eval")
    summary = regrade_folder(folder, config.reward, float(config.evaluation.confidence))
    conclude(summary, folder)
    print(f"regraded: {summary['changed']} verdicts changed; the old ones are in responses.previous.jsonl")


def conclude(summary: Mapping[str, Any], folder: Path) -> None:
    """The tables on the terminal, and the files for papers and other tools."""
    from tvo_cli.cli import render
    from tvo_cli.report import evaluation_report as report
    from tvo_cli.tracking import run_folder

    run_folder.write_text(folder / "table.md", report.markdown(summary))
    run_folder.write_json(folder / "results.json", report.harness(summary, run_folder.versions()["packages"]))
    render.table(report.HEADINGS, report.rows(summary), headed=True)
    for title, headings, rows in report.details(summary):
        print(f"\n{escaping.terminal(title)}")
        render.table(headings, rows, headed=True)
    print(
        f"\nwritten to {escaping.terminal(folder)}: summary.json, results.json, table.md, responses.jsonl", flush=True
    )


def mirror(config: DictConfig, summary: Mapping[str, Any]) -> None:
    """The figures and a table of completions, where a logger was asked for."""
    from tvo_cli.report import evaluation_report as report
    from tvo_cli.tracking.evaluation_mirror import send

    send(config, report.metrics(summary), Path(config.output_dir) / "responses.jsonl")
