"""Run folders as `tvo watch` finds them: written row by row, with what a model may have written."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tvo_cli.tracking.metrics_file import metrics_line
from tvo_cli.watch.server import WatchServer
from tvo_cli.watch.watched_folder import WatchedFolder

CONFIG = (
    "seed: SEED\nalgorithm: {name: ALGORITHM}\nmodel: {name: tiny}\ndataset: {name: addition}\ntrainer: {steps: 9}\n"
)
HOSTILE = "<script>document.title='taken'</script><img src=x onerror=alert(1)>\x1b[31mred\x1b[0m \u202egnp.exe \ud800"


@contextmanager
def serving(folder: Path) -> Iterator[WatchServer]:
    """A server of a folder's page, in a thread of its own."""
    with WatchServer(WatchedFolder(folder), 0) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    """Write a run of some steps; collapsed or not, killed while it ran or finished."""

    def write(
        name: str, *, steps: int = 9, algorithm: str = "tvo", seed: int = 0, collapsed_at: int | None = None
    ) -> Path:
        folder = tmp_path / "runs" / name
        (folder / "responses").mkdir(parents=True)
        (folder / "config.yaml").write_text(CONFIG.replace("SEED", str(seed)).replace("ALGORITHM", algorithm))
        rows = [
            metrics_line(step, {"reward/mean": step / 10, "policy/entropy": 1 / step}) for step in range(1, steps + 1)
        ]
        (folder / "metrics.jsonl").write_text(metrics_line(0, {"eval/pass@1": 0.25}) + "".join(rows))
        (folder / "summary.json").write_text('{"steps": 9}')
        firings = [{"rule": "reward_drop", "step": collapsed_at, "severity": "collapse"}]
        firings += [{"rule": "kl_ceiling", "step": collapsed_at, "severity": "warning"}]
        told = {"verdict": "collapsed", "collapsed_at": collapsed_at, "firings": firings} if collapsed_at else {}
        (folder / "collapse.json").write_text(json.dumps(told or {"verdict": "healthy", "firings": []}))
        write_responses(folder, steps, [{"id": "p/1", "question": "1 + 1", "completion": "2", "correct": True}])
        return folder

    return write


def write_responses(folder: Path, step: int, rows: list[dict[str, Any]]) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "responses" / f"step-{step:06d}.jsonl").write_text(lines)
