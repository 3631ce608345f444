"""`tvo compare`: verdicts over arms and seeds, with tables, figures and a report to open offline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tvo_cli import escaping
from tvo_cli.cli.override_args import ConfigDir, Debug

if TYPE_CHECKING:
    from tvo_cli.comparison.render.document import ReportDocument

FORMATS = ("table", "json", "markdown", "html")
RUNS = "run folders, folders of them, a TRL trainer_state.json, or another tool's JSON lines"
BY = "settings that name the arms: algorithm, or several: algorithm,dataset.name"
FAILED = "what a failed run counts for: a number, last, out; auto: 0 for a share, else its last reading"
DIRECTION = "which of the metric is better: less, more; auto: as its name says"
RATE = "how an arm's best learning rate is chosen: corrected, half, same, leave-one-out (docs/compare.md)"
PAPER = "write paper/ (in --out, else here): one LaTeX table, figures as PDF at column width, a main.tex"
COLUMNS = "of the paper's table: rate,seeds,final,difference,collapsed, or others (docs/compare.md)"
MAPPING = "how another tool's metrics are named: a YAML or JSON file (docs/compare.md)"


def add_to(app: typer.Typer) -> None:
    """Register `tvo compare`."""
    app.command("compare")(compare)


def compare(
    runs: Annotated[list[Path], typer.Argument(help=RUNS, metavar="RUNS")],
    baseline: Annotated[str | None, typer.Option(help="the arm the others are compared with; default: grpo")] = None,
    by: Annotated[str, typer.Option(help=BY)] = "algorithm",
    metric: Annotated[str | None, typer.Option(help="what is compared; default: eval/pass@1")] = None,
    out: Annotated[Path | None, typer.Option(help="a folder for report, tables and figures")] = None,
    form: Annotated[str, typer.Option("--format", help="table, json, markdown or html")] = "table",
    x: Annotated[str, typer.Option(help="the curves' axis: steps, samples, tokens, hours")] = "samples",
    choose_rate: Annotated[str, typer.Option(help=RATE)] = "corrected",
    direction: Annotated[str, typer.Option(help=DIRECTION)] = "auto",
    failed: Annotated[str, typer.Option(help=FAILED)] = "auto",
    confidence: Annotated[float, typer.Option(help="of every interval")] = 0.95,
    mapping: Annotated[Path | None, typer.Option(help=MAPPING)] = None,
    paper: Annotated[bool, typer.Option("--paper", help=PAPER)] = False,
    columns: Annotated[str | None, typer.Option(help=COLUMNS)] = None,
    force: Annotated[bool, typer.Option("--force", help="compare different evaluation protocols all the same")] = False,
    config_dir: ConfigDir = None,
    debug: Debug = False,
) -> None:
    """Compare runs: what differs, by how much, how sure; verdicts first."""
    from tvo_cli.comparison.render import report_files
    from tvo_cli.comparison.render.document import DocumentRequest
    from tvo_cli.comparison.render.document import compare_into_document as make

    _check_choices(form, paper, columns)
    keys = tuple(word.strip() for word in by.split(",") if word.strip())
    request = DocumentRequest(keys, metric, baseline, choose_rate, failed, confidence, force, mapping, x, direction)
    document = make(runs, request)
    if paper:
        _write_paper(document, (out or Path()) / "paper", columns)
    print(report_files.report_in_format(document, form), end="")
    if out is not None:
        report_files.write_report_folder(document, out)
        place = escaping.terminal(out)
        print(f"written: {place}/report.html, report.md, tables.tex, comparison.json, figures/", file=sys.stderr)


def _check_choices(form: str, paper: bool, columns: str | None) -> None:
    """Refuse options that are no choice, or that nothing would use."""
    from tvo_cli.errors import UserError

    if form not in FORMATS:
        raise UserError("--format", form, "not a choice.", f"Choose {', '.join(FORMATS)}.")
    if columns is not None and not paper:
        raise UserError("--columns", columns, "is of the paper's table, and none was asked for.", "Add --paper.")


def _write_paper(document: ReportDocument, folder: Path, columns: str | None) -> None:
    """Write the paper's table, figures and main.tex, and say where."""
    from tvo_cli.comparison.render.paper_columns import DEFAULT_COLUMNS
    from tvo_cli.comparison.render.paper_files import write_paper_folder

    names = DEFAULT_COLUMNS if columns is None else [word.strip() for word in columns.split(",") if word.strip()]
    kept = write_paper_folder(document, folder, names)
    place = escaping.terminal(folder)
    print(f"written: {place}/table.tex, figures/*.pdf{'' if kept else ', main.tex'}", file=sys.stderr)
    if kept:
        print(f"kept: {place}/main.tex, which has other text; delete it for a new one", file=sys.stderr)
