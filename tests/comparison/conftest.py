"""Runs on disk, small, in any state; and the committed ones that were trimmed from real runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tvo_cli.comparison.render.document import DocumentRequest, ReportDocument, compare_into_document
from tvo_cli.comparison.render.table_cells import Table

if TYPE_CHECKING:
    from tvo_cli.comparison.render.document import ReportDocument

RUNS = Path(__file__).parent / "fixture_runs"
EVALUATION = {"evaluation.problems": 8, "evaluation.temperature": 1.0}
Write = Callable[..., Path]


def write_run(
    root: Path,
    algorithm: str = "grpo",
    seed: int = 0,
    final: float | None = 0.5,
    *,
    lr: float = 1e-3,
    curve: Sequence[float | str] = (0.1, 0.2, 0.3, 0.4),
    collapsed_at: int | None = None,
    settings: dict[str, Any] | None = None,
    name: str = "",
) -> Path:
    """A finished run; `final=None`: one that has written no summary."""
    folder = root / (name or f"{algorithm}-{lr:g}-s{seed}")
    folder.mkdir(parents=True)
    config = {"algorithm.name": algorithm, "optimizer.lr": lr, "trainer.steps": len(curve), **EVALUATION}
    (folder / "config.yaml").write_text(json.dumps({"seed": seed, **_tree({**config, **(settings or {})})}))
    (folder / "command.txt").write_text("tvo train\n")
    rows = [_row(step, value) for step, value in enumerate(curve, start=1)]
    if final is not None:
        rows.append({"step": len(curve), "eval/pass@1": final})
        (folder / "summary.json").write_text(json.dumps({"steps": len(curve), "finished": f"2026-01-0{seed % 9 + 1}"}))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    collapse = {"verdict": "healthy" if collapsed_at is None else "collapsed", "collapsed_at": collapsed_at}
    (folder / "collapse.json").write_text(json.dumps(collapse))
    return folder


def _tree(settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """{"group.key": value} as groups of keys."""
    tree: dict[str, dict[str, Any]] = {}
    for path, value in settings.items():
        group, _, key = path.rpartition(".")
        tree.setdefault(group, {})[key] = value
    return tree


def _row(step: int, value: float | str) -> dict[str, Any]:
    return {"step": step, "accuracy/fresh": value, "reward/mean": value, "rollouts": 10 * step}


@pytest.fixture
def arms(tmp_path: Path) -> Path:
    """TVO at 0.80 0.90 0.85 against GRPO at 0.70 0.75 0.80: differences 10, 15 and 5 points."""
    for algorithm, finals in (("tvo", (0.80, 0.90, 0.85)), ("grpo", (0.70, 0.75, 0.80))):
        for seed, final in enumerate(finals):
            write_run(tmp_path / "runs", algorithm, seed, final)
    return tmp_path / "runs"


def made(*paths: Path, **wishes: Any) -> ReportDocument:
    """The comparison of some paths."""
    return compare_into_document(list(paths), DocumentRequest(**wishes))


def table(document: ReportDocument, name: str, section: int = 0) -> Table:
    """The one table of that name in a section."""
    [found] = [one for one in document.sections[section].tables if one.name == name]
    return found


def column(found: Table, heading: str) -> list[str]:
    """The texts under a heading."""
    return [row[list(found.headings).index(heading)].text for row in found.rows]
