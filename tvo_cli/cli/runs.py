"""`tvo ls`: what became of the runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tvo_cli import escaping
from tvo_cli.errors import UserError

if TYPE_CHECKING:
    from tvo_cli.report.run_status import Standing

FORMATS = ("table", "json")
HEADINGS = ("run", "state", "step", "reward", "verdict", "differs in")
FIRST = ("algorithm.name", "optimizer.lr", "seed", "model.name", "dataset.name")  # shown before other settings
HOME = Path("outputs")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("ls")(runs)


def runs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a sweep, an experiment, or all of outputs/")] = HOME,
    form: Annotated[str, typer.Option("--format", help="table, json")] = "table",
) -> None:
    """Show the runs below a folder: state, last step, reward, verdict, and the settings in which they differ."""
    from tvo_cli.cli import render
    from tvo_cli.report.run_status import differing, status_rows

    if form not in FORMATS:
        raise UserError("--format", form, "there is no such format.", f"Formats: {', '.join(FORMATS)}.")
    found = status_rows(folder)
    apart = differing(found)
    if form == "json":
        _print([_record(run, apart[run.folder]) for run in found])
    elif not found:
        print(f"no runs in {escaping.terminal(folder)}")
    else:
        render.table(HEADINGS, [_cells(folder, run, apart[run.folder]) for run in found], cut=True)


def _cells(root: Path, run: Standing, apart: dict[str, Any]) -> list[str]:
    from tvo_cli.tracking.sparkline import figure

    place = run.folder.name if run.folder == root else str(run.folder.relative_to(root))
    planned = f"/{run.steps}" if run.steps is not None else ""
    step = "" if run.step is None else f"{run.step}{planned}"
    reward = "" if run.reward is None else figure(run.reward)
    return [place, run.state, step, reward, _reason(run) or run.verdict, _shown(apart)]


def _shown(apart: dict[str, Any]) -> str:
    """`algorithm=tvo seed=0 lr=1e-4`: the last part of a key, unless two end alike."""
    apart = dict(sorted(apart.items(), key=lambda pair: FIRST.index(pair[0]) if pair[0] in FIRST else len(FIRST)))
    last = [key.removesuffix(".name").rpartition(".")[2] for key in apart]
    names = [short if last.count(short) == 1 else key for key, short in zip(apart, last, strict=True)]
    return " ".join(f"{name}={_value(value)}" for name, value in zip(names, apart.values(), strict=True))


def _value(value: Any) -> str:
    """A float without the last digits that a product leaves: 2e-05."""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _reason(run: Standing) -> str:
    """Why it ended, for a line: the first sentence, without what the other columns say."""
    first = run.reason.partition(". ")[0].removeprefix(f"{run.state}; ")
    return first.replace(f"{run.folder}/", "")


def _record(run: Standing, apart: dict[str, Any]) -> dict[str, Any]:
    return {
        "run": str(run.folder),
        "command": run.command,
        "state": run.state,
        "step": run.step,
        "steps": run.steps,
        "reward": run.reward,
        "verdict": run.verdict,
        "reason": run.reason,
        "differs": apart,
    }


def _print(records: list[dict[str, Any]]) -> None:
    import json
    import math

    for record in records:
        if isinstance(record["reward"], float) and not math.isfinite(record["reward"]):
            record["reward"] = str(record["reward"])
    print(json.dumps(records, indent=2, allow_nan=False, default=str))
