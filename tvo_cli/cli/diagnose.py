"""`tvo diagnose`: which failure a log shows, since when, what it has cost, what to change."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tvo_cli import escaping
from tvo_cli.cli.override_args import Debug
from tvo_cli.errors import UserError

if TYPE_CHECKING:
    from tvo_cli.diagnosis.diagnosis import Diagnosis

FORMATS = ("table", "json", "markdown", "html")
SEVERITIES = ("warning", "critical")
FAILED = 3  # exit code: a finding as severe as --fail-on says
RUNS = "run folders, sweeps, TRL's trainer_state.json, JSON lines, CSV, TensorBoard or W&B folders, wandb:USER/NAME/ID"
MAPPING = "how another tool's metrics are named: a YAML or JSON file (docs/compare.md)"
FAIL_ON = "end with exit code 3 at such a finding: warning, critical"
OUT = "write the report to this file"


def add_to(app: typer.Typer) -> None:
    """Register `tvo diagnose`."""
    app.command("diagnose")(diagnose)


def diagnose(
    runs: Annotated[list[Path], typer.Argument(help=RUNS, metavar="RUNS")],
    form: Annotated[str, typer.Option("--format", help=", ".join(FORMATS))] = "table",
    out: Annotated[Path | None, typer.Option(help=OUT)] = None,
    fail_on: Annotated[str | None, typer.Option(help=FAIL_ON)] = None,
    mapping: Annotated[Path | None, typer.Option(help=MAPPING)] = None,
    debug: Debug = False,
) -> None:
    """Name the failure that a log shows: since when, what it has cost, what to change. Any trainer's log."""
    _check_option_choice("--format", form, FORMATS)
    if fail_on is not None:
        _check_option_choice("--fail-on", fail_on, SEVERITIES)
    from tvo_cli.diagnosis.diagnosis import diagnose as diagnose_log
    from tvo_cli.diagnosis.diagnosis import worst
    from tvo_cli.diagnosis.logs_to_diagnose import read_logs

    read = read_logs(runs, mapping)
    diagnoses = [diagnose_log(log) for log in read.logs]
    _write(diagnoses, form, out)
    _say_beside(diagnoses, form, read.notes)
    verdict = worst([one.verdict for one in diagnoses])
    if fail_on is not None and verdict in SEVERITIES[SEVERITIES.index(fail_on) :]:
        raise typer.Exit(FAILED)


def _check_option_choice(option: str, value: str, choices: Sequence[str]) -> None:
    """Refuse a value that an option of `tvo diagnose` does not have."""
    if value not in choices:
        raise UserError(option, value, "not a choice.", f"Choose {', '.join(choices)}.")


def _write(diagnoses: Sequence[Diagnosis], form: str, out: Path | None) -> None:
    """Print the report, or write it to a file."""
    if out is None and form == "table":
        _print_table(diagnoses)
        return
    text = _report(diagnoses, form)
    if out is None:
        print(text, end="")
        return
    from tvo_cli.tracking.atomic_files import write_text_atomically

    write_text_atomically(out, text)
    print(f"written: {escaping.terminal(out)}", file=sys.stderr)


def _report(diagnoses: Sequence[Diagnosis], form: str) -> str:
    """Return the diagnoses of `tvo diagnose` in the format of its option."""
    from tvo_cli.diagnosis.render import html_page, json_format, markdown, terminal

    if form == "json":
        return json_format.diagnoses_as_json(diagnoses) + "\n"
    if form == "markdown":
        return markdown.diagnoses_as_markdown(diagnoses)
    if form == "html":
        return html_page.diagnoses_as_html(diagnoses)
    return "\n\n".join("\n".join(text for text, _ in terminal.diagnosis_lines(one)) for one in diagnoses) + "\n"


def _print_table(diagnoses: Sequence[Diagnosis]) -> None:
    """Print one run on a screen; several as a table, then the first of the worst ones in full, if it is not healthy."""
    from tvo_cli.cli import printing
    from tvo_cli.diagnosis.diagnosis import HEALTHY
    from tvo_cli.diagnosis.render import terminal

    if len(diagnoses) == 1:
        _print_styled(diagnoses[0])
        return
    shown = terminal.runs_shown(diagnoses)
    if shown:
        printing.print_table(("run", "verdict", "failures"), terminal.runs_lines(shown), headed=True)
    if said := terminal.runs_not_shown(diagnoses):
        print(said)
    if shown and shown[0].verdict != HEALTHY:
        print()
        _print_styled(shown[0])


def _print_styled(diagnosis: Diagnosis) -> None:
    """Print one run's diagnosis; with styles on a terminal."""
    from tvo_cli.diagnosis.render import terminal

    if not sys.stdout.isatty():
        print("\n".join(text for text, _ in terminal.diagnosis_lines(diagnosis)))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for text, style in terminal.diagnosis_lines(diagnosis, console.width):
        console.print(Text(text, style=style), soft_wrap=True)


def _say_beside(diagnoses: Sequence[Diagnosis], form: str, notes: Sequence[str]) -> None:
    """Say on standard error what the report leaves out: notes on files, and for JSON what was not looked for."""
    from tvo_cli.diagnosis.render import wording

    said = list(notes)
    if form == "json":
        for one in diagnoses:
            said += [f"{one.log.facts.name}: {text}" for text in (wording.unexamined(one), *one.notes) if text]
    for text in dict.fromkeys(said):
        print(escaping.terminal(text), file=sys.stderr)
