"""`tvo ls`: the runs below a folder, and the state of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tvo_cli import escaping
from tvo_cli.cli.override_args import Debug
from tvo_cli.errors import UserError

if TYPE_CHECKING:
    from tvo_cli.report.run_listing import ListedRun

FORMATS = ("table", "json")
HEADINGS = ("run", "state", "step", "reward", "verdict", "failure", "differs in")
FIRST = ("algorithm.name", "optimizer.lr", "seed", "model.name", "dataset.name")  # shown before other settings
HOME = Path("outputs")


def add_to(app: typer.Typer) -> None:
    """Register `tvo ls`."""
    app.command("ls")(runs)


def runs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a sweep, an experiment, or all of outputs/")] = HOME,
    form: Annotated[str, typer.Option("--format", help="table, json")] = "table",
    debug: Debug = False,
) -> None:
    """Show the runs below a folder: state, last step, reward, verdict, failure, and settings in which they differ."""
    from tvo_cli.cli import printing
    from tvo_cli.report.run_listing import list_runs, settings_in_which_runs_differ

    if form not in FORMATS:
        raise UserError("--format", form, "there is no such format.", f"Formats: {', '.join(FORMATS)}.")
    found = list_runs(folder)
    apart = settings_in_which_runs_differ(found)
    if form == "json":
        _print_runs_as_json([_run_as_json(run, apart[run.folder]) for run in found])
    elif not found:
        print(f"no runs in {escaping.terminal(folder)}")
    else:
        told, below = _settings_said_once(apart)
        printing.print_table(HEADINGS, [_run_row(folder, run, told[run.folder]) for run in found], cut=True)
        for line in below:
            print(escaping.terminal(line))


def _settings_said_once(apart: Mapping[Path, Mapping[str, Any]]) -> tuple[dict[Path, str], list[str]]:
    """Return each run's settings for its row, with `+a` for a list that several share, and a line for each list."""
    from tvo_cli.report.run_listing import settings_of_the_same_runs

    lists = {f"+{mark}": settings for mark, settings in zip(ascii_lowercase, settings_of_the_same_runs(apart))}
    said = {key for settings in lists.values() for key in settings}
    rows = {}
    for folder, settings in apart.items():
        own = _settings_column_of_ls({key: value for key, value in settings.items() if key not in said})
        rows[folder] = " ".join([own, *(mark for mark, shared in lists.items() if shared.keys() <= settings.keys())])
    return rows, [f"{mark}  {_settings_column_of_ls(settings)}" for mark, settings in lists.items()]


def _run_row(root: Path, run: ListedRun, apart: str) -> list[str]:
    """Return a run's row of the table of `tvo ls`; `apart`: the settings in which it differs."""
    from tvo_cli.tracking.terminal.console_numbers import format_plain_number

    place = run.folder.name if run.folder == root else str(run.folder.relative_to(root))
    planned = f"/{run.steps}" if run.steps is not None else ""
    step = "" if run.step is None else f"{run.step}{planned}"
    reward = "" if run.reward is None else format_plain_number(run.reward)
    return [
        place,
        run.state,
        step,
        reward,
        _listed_end_reason(run) or run.verdict,
        run.failure,
        apart.strip(),
    ]


def _settings_column_of_ls(apart: Mapping[str, Any]) -> str:
    """Return the settings in which a run differs: `algorithm=tvo seed=0 lr=1e-4`."""
    apart = dict(sorted(apart.items(), key=lambda pair: FIRST.index(pair[0]) if pair[0] in FIRST else len(FIRST)))
    last = [_last_part_of_key(key) for key in apart]
    names = [short if last.count(short) == 1 else key for key, short in zip(apart, last, strict=True)]
    return " ".join(f"{name}={_ls_setting_text(value)}" for name, value in zip(names, apart.values(), strict=True))


def _ls_setting_text(value: Any) -> str:
    """Return a setting's value; a float without the last digits that a product leaves: 2e-05."""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _listed_end_reason(run: ListedRun) -> str:
    """Return why a run ended: the first sentence, without what the other columns say."""
    first = run.reason.partition(". ")[0].removeprefix(f"{run.state}; ")
    return first.replace(f"{run.folder}/", "")


def _run_as_json(run: ListedRun, apart: dict[str, Any]) -> dict[str, Any]:
    """Return a run as an entry of `tvo ls --format json`."""
    return {
        "run": str(run.folder),
        "command": run.command,
        "state": run.state,
        "step": run.step,
        "steps": run.steps,
        "reward": run.reward,
        "verdict": run.verdict,
        "failure": run.failure,
        "reason": run.reason,
        "differs": apart,
    }


def _print_runs_as_json(records: list[dict[str, Any]]) -> None:
    """Print the runs as JSON (`tvo ls --format json`)."""
    import json
    import math

    for record in records:
        if isinstance(record["reward"], float) and not math.isfinite(record["reward"]):
            record["reward"] = str(record["reward"])
    print(json.dumps(records, indent=2, allow_nan=False, default=str))


def _last_part_of_key(key: str) -> str:
    """Return the head of a column of `tvo ls`: `lr` of optimizer.lr, `algorithm` of algorithm.name, own_code's file."""
    return (
        key.removeprefix("own_code.") if key.startswith("own_code.") else key.removesuffix(".name").rpartition(".")[2]
    )
