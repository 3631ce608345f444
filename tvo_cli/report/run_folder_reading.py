"""Strict reading of a run folder: config, metrics, summary, collapse verdict, policies; a broken file is refused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.tracking import metrics_file

ESCAPED_BYTE = re.compile(r"\\u[dD][cC][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class LoadedRun:
    """A run loaded from its folder, finished or not."""

    folder: Path
    config: Mapping[str, Any]
    steps: Sequence[Mapping[str, Any]]  # training rows of metrics.jsonl, in order
    evaluations: Sequence[Mapping[str, Any]]  # evaluation rows, in order
    summary: Mapping[str, Any]  # empty while the run has not finished
    collapse: Mapping[str, Any]  # empty without collapse.json

    @property
    def algorithm(self) -> str:
        """The algorithm's name."""
        return str(self.config.get("algorithm", {}).get("name", "?"))

    @property
    def finished(self) -> bool:
        """Whether the run wrote its summary."""
        return bool(self.summary)

    def curve(self, name: str, *, evaluations: bool = False) -> tuple[list[int], list[float]]:
        """Steps and values of a metric, where it was recorded."""
        rows = self.evaluations if evaluations else self.steps
        found = [(int(row["step"]), float(row[name])) for row in rows if name in row]
        return [step for step, _ in found], [value for _, value in found]

    def last(self, name: str, *, evaluations: bool = False) -> float | None:
        """The last finite value of a metric."""
        _, values = self.curve(name, evaluations=evaluations)
        return next((value for value in reversed(values) if math.isfinite(value)), None)


def load_run(folder: Path | str) -> LoadedRun:
    """Load a run folder; UserError when it is none."""
    place = Path(folder)
    if not (place / "metrics.jsonl").is_file() or not (place / "config.yaml").is_file():
        raise UserError("run", place, "is not a run folder.", "It needs a config.yaml and a metrics.jsonl.")
    rows = metrics_file.read_metrics(place / "metrics.jsonl")
    return LoadedRun(
        folder=place,
        config=_read_config_yaml(place / "config.yaml"),
        steps=[row for row in rows if not metrics_file.is_evaluation_row(row)],
        evaluations=[row for row in rows if metrics_file.is_evaluation_row(row)],
        summary=read_run_json(place / "summary.json"),
        collapse=read_run_json(place / "collapse.json"),
    )


def newest_policy(folder: Path) -> Path | None:
    """Return the folder of the newest checkpoint's policy that a run folder has."""
    return next((policy for _, policy in reversed(stored_policies(folder))), None)


def last_healthy_policy(run: LoadedRun) -> Path | None:
    """Return the policy that was the last healthy one before the first collapse; None without a collapse or one."""
    step = run.collapse.get("last_healthy_policy")
    found = [policy for at, policy in stored_policies(run.folder) if isinstance(step, int) and at <= step]
    return found[-1] if found else None


def stored_policies(folder: Path) -> list[tuple[int, Path]]:
    """Read which policies a run folder has: step and folder each, oldest first; one amid a batch counts to the next."""
    steps = sorted((folder / "checkpoints").glob("step-*")) if (folder / "checkpoints").is_dir() else []
    names = [(re.fullmatch(r"step-(\d+)(-update-\d+)?", step.name), step / "policy") for step in steps]
    return [(int(name[1]) + bool(name[2]), policy) for name, policy in names if name and policy.is_dir()]


def collapse_firings(run: LoadedRun) -> list[Mapping[str, Any]]:
    """Read the collapse rules that fired from a loaded run: mappings with rule, step, value, threshold."""
    return [found for found in run.collapse.get("firings") or () if isinstance(found, Mapping)]


def _read_config_yaml(path: Path) -> Mapping[str, Any]:
    try:
        return parse_run_config(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError("run", path, "is not YAML.") from error


def parse_run_config(text: str) -> dict[str, Any]:
    """Parse the config.yaml of a run folder: plain values only, read in C, because a comparison loads hundreds.

    A number without a dot (`1e-4`) is one, as it is for Hydra. ValueError for what is not YAML; {} for no mapping.
    """
    import yaml

    try:
        found = yaml.load(text, Loader=_yaml_loader(safe_yaml_loader(text)))
    except yaml.YAMLError as error:
        raise ValueError("not YAML") from error
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}


def safe_yaml_loader(text: str) -> Any:
    """PyYAML's safe loader in C, or that in Python, which alone reads an escaped byte of a path (`\\uDCFC`)."""
    import yaml

    return yaml.SafeLoader if ESCAPED_BYTE.search(text) else getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@lru_cache(maxsize=2)
def _yaml_loader(base: Any) -> Any:
    """A loader for a run folder's config.yaml that reads 1e-3 as a number."""
    kind: Any = type("Loader", (base,), {})
    kind.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(?:\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
    )
    return kind


def read_run_json(path: Path) -> Mapping[str, Any]:
    """Read a JSON object of a run folder; empty when there is no file."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError("run", path, "is not JSON.") from error
    return found if isinstance(found, dict) else {}
