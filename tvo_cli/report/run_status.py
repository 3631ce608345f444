"""What became of every run below a folder, quickly: for `tvo ls`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvo_cli.config import NOT_THE_EXPERIMENT, split_override
from tvo_cli.errors import UserError
from tvo_cli.report.runs import read_json
from tvo_cli.tracking import metrics, run_status

COLLAPSED = "collapsed"
LOST = (COLLAPSED, "stopped")  # verdicts of a run that a collapse rule ended or that never came back from one
INSIDE = ("checkpoints", "responses", "figures", "wandb", "tensorboard")  # of a run, where no other run is
UNTOLD = ("output_dir", "run_name", "experiment_name", "sweep_objective")


@dataclass(frozen=True, slots=True)
class Standing:
    """A run in one line."""

    folder: Path
    command: str  # train, eval, variance, sft
    state: str  # running, finished, collapsed, failed, interrupted
    composed: bool  # it has written its configuration; else its settings are the overrides alone
    settings: Mapping[str, Any]  # dotted keys of its configuration
    step: int | None
    steps: int | None  # planned
    reward: float | None  # reward/mean of the last step; of an evaluation, pass@1
    verdict: str
    reason: str  # why it failed


def status_rows(root: Path) -> list[Standing]:
    """The runs below a folder, itself included, in the order of their paths.

    Raises:
        UserError: there is no such folder.
    """
    if not root.is_dir():
        raise UserError("DIR", root, "there is no such folder.", "Runs are in outputs/ unless output_dir says else.")
    return [_standing(folder) for folder in sorted(run_folders(root))]


def run_folders(root: Path) -> Iterator[Path]:
    """Folders that hold a state.json, or (from before there was one) a config.yaml and a metrics.jsonl."""
    for place, inner, files in os.walk(root):
        if run_status.FILE in files or {"config.yaml", "metrics.jsonl"} <= set(files):
            yield Path(place)
        inner[:] = [name for name in inner if name not in INSIDE and not name.startswith(".")]


def differing(runs: Sequence[Standing]) -> dict[Path, dict[str, Any]]:
    """Of each run, the settings that are not the same in all the runs of its command that know theirs as well."""
    found: dict[Path, dict[str, Any]] = {}
    for kind in {(run.command, run.composed) for run in runs}:
        peers = [run for run in runs if (run.command, run.composed) == kind]
        keys = dict.fromkeys(key for run in peers for key in run.settings)
        apart = [key for key in keys if len({repr(run.settings.get(key)) for run in peers}) > 1]
        for run in peers:
            found[run.folder] = {key: run.settings[key] for key in _leading(apart) if key in run.settings}
    return found


def _leading(keys: Sequence[str]) -> list[str]:
    """Where the algorithm differs, its name stands for all that it brings along; the same for the other groups."""
    named = {key.partition(".")[0] for key in keys if key.endswith(".name") and key.count(".") == 1}
    return [key for key in keys if key.partition(".")[0] not in named or key == f"{key.partition('.')[0]}.name"]


def _standing(folder: Path) -> Standing:
    told = run_status.read(folder)
    summary, collapse = read_json(folder / "summary.json"), read_json(folder / "collapse.json")
    word, reason = run_status.status_of(folder)
    settings = _settings(folder, told)
    row = metrics.last(folder / "metrics.jsonl")
    fired = str(collapse.get("verdict", "")) in LOST
    word = word or (run_status.FINISHED if summary else run_status.INTERRUPTED)
    return Standing(
        folder=folder,
        command=str(told.get("command", "train")),
        state=COLLAPSED if fired and word == run_status.FINISHED else word,
        composed=(folder / "config.yaml").is_file(),
        settings=settings,
        step=int(row["step"]) if row else None,
        steps=settings.get("trainer.steps"),
        reward=row.get("reward/mean", _passed(summary)),
        verdict=_verdict(collapse),
        reason=reason,
    )


def _settings(folder: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration, flat; the overrides alone of a command that writes none."""
    try:
        text = (folder / "config.yaml").read_text(encoding="utf-8")
    except OSError:
        pairs = [split_override(word) for word in told.get("overrides") or ()]
        return {key: value for key, value in pairs if key not in NOT_THE_EXPERIMENT}
    return {key: value for key, value in _flat(_parse(text)) if not key.startswith((*UNTOLD, "logger."))}


def _parse(text: str) -> Any:
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return {}


def _flat(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items() if isinstance(tree, dict) else ():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _verdict(collapse: Mapping[str, Any]) -> str:
    at, word = collapse.get("collapsed_at"), str(collapse.get("verdict", ""))
    return f"{word} at {at}" if at is not None else word


def _passed(summary: Mapping[str, Any]) -> float | None:
    """Of an evaluation: avg@k of its suite, when it has one alone; of a training's own, pass@1."""
    suites = list((summary.get("suites") or {}).values())
    own = (summary.get("evaluation") or {}).get("eval/pass@1")
    found = (suites[0].get("avg") or {}).get("mean") if len(suites) == 1 else own
    return float(found) if isinstance(found, int | float) else None
