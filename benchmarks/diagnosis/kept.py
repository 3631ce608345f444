"""Logs kept in the repository, so that a measurement reads them on any machine: of runs with faults, and sets of runs.

    python -m benchmarks.diagnosis.kept arithmetic-1002 outputs/second-edition    # keeps that set, from its run folders

Of a set the columns that a rule or a peer reads are kept, five digits of each value, but whole the shares and means of
counts: a batch of 128 answers has ties, which rounding would break.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.diagnosis.logs import CLIP_NORM, TO_TRL, LabelledLog, Rows, logs_below
from benchmarks.diagnosis.runs import FaultRun
from benchmarks.diagnosis.sets import BY_NAME, RunSet
from tvo_cli.diagnosis.registry import FAILURES

DIGITS = 5  # of a value: a metric has no more that a rule could see
KEPT = Path("docs/results/diagnosis")
FAULTS, RUNS = KEPT / "faults", KEPT / "runs"
READ = (  # besides what peers read and failures need
    *("eval/pass@1_low", "eval/pass@1_high", "grader/unanswered", "data/epoch", "thermo/entropy"),
    *("stability/refused", "loss/nonfinite"),
)
COUNTED = ("accuracy/", "reward/", "eval/", "group/", "response/", "grader/")  # prefixes of what is kept whole
COLUMNS = frozenset({*TO_TRL, *READ, *(name for one in FAILURES for group in one.needs for name in group), "step"})


def kept_log(run: FaultRun, folder: Path, make: Callable[[FaultRun], LabelledLog]) -> LabelledLog:
    """The log of a run from its file in the folder; made and kept where there is none."""
    file = folder / f"{run.fault.name}-{run.algorithm.replace(' ', '_')}-s{run.seed}.json.gz"
    if file.is_file():
        return LabelledLog(**{"clip_norm": CLIP_NORM} | _read(file))
    log = make(run)
    _write(file, asdict(log) | {"rows": [{name: _short(value) for name, value in row.items()} for row in log.rows]})
    return log


def kept_runs(name: str, folder: Path = RUNS) -> list[LabelledLog]:
    """The logs of a set."""
    file = folder / f"{name}.json.gz"
    if not file.is_file():
        raise SystemExit(f"{file} is not there: python -m benchmarks.diagnosis.kept {name} FOLDER keeps a set of runs")
    found = _read(file)["logs"]
    return [LabelledLog(**one | {"rows": _rows(one["rows"])}) for one in found]


def keep_runs(one: RunSet, study: Path, folder: Path = RUNS) -> int:
    """Keep the logs of a set from the folders of a study; how many they are."""
    logs = [log for shape in one.folders for below in sorted(study.glob(shape)) for log in logs_below(below)]
    if logs:
        _write(folder / f"{one.name}.json.gz", {"logs": [asdict(log) | {"rows": columns(log.rows)} for log in logs]})
    return len(logs)


def columns(rows: Rows) -> dict[str, list[Any]]:
    """The kept columns, null where a row lacks one: by columns a file is half as long."""
    there = sorted(COLUMNS & {name for row in rows for name in row})
    told = {name: [row.get(name) for row in rows] for name in there}
    return {name: values if name.startswith(COUNTED) else list(map(_short, values)) for name, values in told.items()}


def _rows(kept: Mapping[str, Sequence[Any]]) -> Rows:
    told = (dict(zip(kept, values, strict=True)) for values in zip(*kept.values(), strict=True))
    return [{name: value for name, value in row.items() if value is not None} for row in told]


def _short(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
    return found


def _write(file: Path, told: Mapping[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(json.dumps(told, separators=(",", ":")).encode(), mtime=0))


def main() -> None:
    """Keep a set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=BY_NAME)
    parser.add_argument("study", type=Path, help="where a benchmark left its runs (benchmarks/diagnosis/sets.py)")
    given = parser.parse_args()
    count = keep_runs(BY_NAME[given.set], given.study)
    if not count:
        parser.error(f"{given.study} has no finished runs in {', '.join(BY_NAME[given.set].folders)}")
    print(f"{RUNS / given.set}.json.gz: {count} runs")


if __name__ == "__main__":
    main()
