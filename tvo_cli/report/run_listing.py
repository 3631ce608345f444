"""The listing of the runs below a folder, for `tvo ls`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvo_cli.config import NOT_THE_EXPERIMENT, split_override
from tvo_cli.errors import UserError
from tvo_cli.report.known_failure import known_failure
from tvo_cli.report.run_folder_reading import read_run_json, safe_yaml_loader
from tvo_cli.tracking import metrics_file, run_status

COLLAPSED = "collapsed"
LOST = (COLLAPSED, "stopped")  # verdicts of a run that a collapse rule ended or that never came back from one
INSIDE = (
    "checkpoints",
    "recorder",
    "responses",
    "figures",
    "profile",
    "wandb",
    "tensorboard",
    "resume",
)  # of a run, where no other run is
NOT_LISTED = ("output_dir", "run_name", "experiment_name", "sweep_objective")
TOGETHER = 3  # settings of the same runs that are said once, below the table
SHOWN_OF_SHA256 = 8  # of own code: as in the names of its copies


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run in the listing of `tvo ls`."""

    folder: Path
    command: str  # train, eval, variance, sft
    state: str  # running, finished, collapsed, failed, interrupted
    composed: bool  # it has written its configuration; else its settings are the overrides alone
    settings: Mapping[str, Any]  # dotted keys of its configuration
    step: int | None
    steps: int | None  # planned
    reward: float | None  # reward/mean of the last step; of an evaluation, pass@1
    verdict: str
    failure: str  # the worst that is known of it, by its name in `tvo diagnose`
    reason: str  # why it failed


def list_runs(root: Path) -> list[ListedRun]:
    """List the runs below a folder, itself included, in the order of their paths.

    Raises:
        UserError: there is no such folder.
    """
    if not root.is_dir():
        raise UserError("DIR", root, "there is no such folder.", "Runs are in outputs/ unless output_dir says else.")
    return [list_run(folder) for folder in sorted(run_folders(root))]


def run_folders(root: Path, *, links: bool = True) -> Iterator[Path]:
    """Yield the folders that hold a state.json, or (from before there was one) a config.yaml and a metrics.jsonl.

    `links`: also those behind linked folders, each once, under its own path where that is below the root too.
    """
    top, seen, waiting = os.path.realpath(root), set[str](), [root]
    for place in waiting:  # which grows
        real = os.path.realpath(place)
        if place is root or not _is_at_or_above(real, top):
            yield from _run_folders_of_tree(place, real, seen, waiting if links else [])


def _is_at_or_above(place: str, other: str) -> bool:
    """Return whether a real path is another one, or leads to it: a link to it would lead back."""
    return other == place or other.startswith(place.rstrip(os.sep) + os.sep)


def _run_folders_of_tree(place: Path, real: str, seen: set[str], linked: list[Path]) -> Iterator[Path]:
    """Yield the run folders of a tree that were not seen yet; add the links to folders that stand in it."""
    for folder, inner, files in os.walk(place):
        at = real + folder[len(str(place)) :]
        if at in seen or {run_status.STATUS_FILE, "manifest.json"} <= set(files):  # a checkpoint has a state, too
            inner.clear()
            continue
        seen.add(at)
        is_run = run_status.STATUS_FILE in files or {"config.yaml", "metrics.jsonl"} <= set(files)
        if is_run:
            yield Path(folder)
        inner[:] = [name for name in inner if not name.startswith(".") and not (is_run and name in INSIDE)]
        linked += [link for name in inner if (link := Path(folder) / name).is_symlink()]


def settings_in_which_runs_differ(runs: Sequence[ListedRun]) -> dict[Path, dict[str, Any]]:
    """Return, for each listed run, the settings that are not the same in all the runs of its command."""
    found: dict[Path, dict[str, Any]] = {}
    for kind in {(run.command, run.composed) for run in runs}:
        peers = [run for run in runs if (run.command, run.composed) == kind]
        keys = dict.fromkeys(key for run in peers for key in run.settings)
        apart = [key for key in keys if len({repr(run.settings.get(key)) for run in peers}) > 1]
        for run in peers:
            found[run.folder] = {
                key: run.settings[key] for key in _leading_settings_of_listing(apart) if key in run.settings
            }
    return found


def settings_of_the_same_runs(apart: Mapping[Path, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the settings that several runs have with one value and the others lack, by the runs that have them.

    Keys of a newer version or of an adapter, for example: in the rows they would stand once a run. Less than `TOGETHER`
    of them are left to the rows, and so is own code.
    """
    together: dict[tuple[Path, ...], dict[str, Any]] = {}
    for key in dict.fromkeys(key for settings in apart.values() for key in settings):
        owners = tuple(folder for folder, settings in apart.items() if key in settings)
        values = [apart[folder][key] for folder in owners]
        if len(owners) > 1 and len(set(map(repr, values))) == 1 and not key.startswith("own_code."):
            together.setdefault(owners, {})[key] = values[0]
    return [settings for settings in together.values() if len(settings) >= TOGETHER]


def _leading_settings_of_listing(keys: Sequence[str]) -> list[str]:
    """Return the keys that stand for others: where the algorithm differs, its name alone."""
    named = {key.partition(".")[0] for key in keys if key.endswith(".name") and key.count(".") == 1}
    return [key for key in keys if key.partition(".")[0] not in named or key == f"{key.partition('.')[0]}.name"]


def list_run(folder: Path) -> ListedRun:
    """Return one run of the listing, from the files of its folder."""
    told = run_status.read_status(folder)
    summary, collapse = read_run_json(folder / "summary.json"), read_run_json(folder / "collapse.json")
    word, reason = listed_state_and_reason(folder, summary)
    settings = _settings_of_run(folder, told)
    row = metrics_file.last_training_row(folder / "metrics.jsonl")
    fired = str(collapse.get("verdict", "")) in LOST
    return ListedRun(
        folder=folder,
        command=str(told.get("command", "train")),
        state=COLLAPSED if fired and word == run_status.FINISHED else word,
        composed=(folder / "config.yaml").is_file(),
        settings=settings,
        step=int(row["step"]) if row else None,
        steps=_planned_steps(settings.get("trainer.steps"), row),
        reward=row.get("reward/mean", _evaluation_score(summary)),
        verdict=_collapse_verdict(collapse),
        failure=known_failure(folder, collapse),
        reason=reason,
    )


def _planned_steps(asked: Any, row: Mapping[str, Any]) -> int | None:
    """Return the steps that a run is to have: those that it has where a resume asked for fewer."""
    return max(asked, int(row["step"])) if isinstance(asked, int) and row else asked


def listed_state_and_reason(folder: Path, summary: Mapping[str, Any]) -> tuple[str, str]:
    """Return a run's state and its reason; of a run from before there was a state.json, what its summary tells."""
    state, reason = run_status.status_of(folder)
    return state or (run_status.FINISHED if summary else run_status.INTERRUPTED), reason


def _settings_of_run(folder: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a listed run's config, flat; the overrides alone of a command that writes none."""
    try:
        text = (folder / "config.yaml").read_text(encoding="utf-8")
    except OSError:
        pairs = [split_override(word) for word in told.get("overrides") or ()]
        return {key: value for key, value in pairs if key not in NOT_THE_EXPERIMENT}
    return {
        key: str(value)[:SHOWN_OF_SHA256] if key.startswith("own_code.") else value
        for key, value in _flat_settings_of_run(_parse_config_of_listed_run(text))
        if not key.startswith((*NOT_LISTED, "logger."))
    }


def _parse_config_of_listed_run(text: str) -> Any:
    import yaml

    try:
        return yaml.load(text, Loader=safe_yaml_loader(text))
    except yaml.YAMLError:
        return {}


def _flat_settings_of_run(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items() if isinstance(tree, dict) else ():
        if isinstance(value, dict):
            yield from _flat_settings_of_run(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _collapse_verdict(collapse: Mapping[str, Any]) -> str:
    """The verdict and the step of a collapse as a line of `tvo ls` shows them."""
    at, word = collapse.get("collapsed_at"), str(collapse.get("verdict", ""))
    return f"{word} at {at}" if at is not None else word


def _evaluation_score(summary: Mapping[str, Any]) -> float | None:
    """Return a listed run's score: avg@k of an evaluation with one suite; of a training's own, pass@1."""
    suites = list((summary.get("suites") or {}).values())
    own = (summary.get("evaluation") or {}).get("eval/pass@1")
    found = (suites[0].get("avg") or {}).get("mean") if len(suites) == 1 else own
    return float(found) if isinstance(found, int | float) else None
