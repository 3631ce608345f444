"""Reading a metrics.jsonl that grows, is torn, is rewritten, or holds what is no row."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tvo_cli.tracking.metrics_file import MetricsFile, metrics_line
from tvo_cli.watch.metric_table import MetricTableReader


def values(reader: MetricTableReader, name: str) -> list[tuple[int, float]]:
    steps, found = reader.column(name)
    return list(zip(steps, found, strict=True))


def test_a_half_written_last_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    line = metrics_line(2, {"reward/mean": 0.5})
    path.write_text(metrics_line(1, {"reward/mean": 0.25}) + line[:20])
    reader = MetricTableReader(path)
    reader.read()
    assert values(reader, "reward/mean") == [(1, 0.25)] and reader.broken == 0
    with path.open("a") as file:
        file.write(line[20:])
    reader.read()
    assert values(reader, "reward/mean") == [(1, 0.25), (2, 0.5)]


def test_what_has_been_read_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(metrics_line(step, {"a": 1.0}) for step in range(100)))
    reader, taken = MetricTableReader(path), list[bytes]()
    while reader.read(most=300):
        pass
    assert len(values(reader, "a")) == 100
    monkeypatch.setattr(reader, "_take_in", taken.append)
    version = reader.version
    assert not reader.read() and taken == [] and reader.version == version
    with path.open("a") as file:
        file.write(metrics_line(100, {"a": 1.0}))
    reader.read()
    assert len(taken) == 1 and reader.version == version + 1


def test_a_line_longer_than_a_chunk_is_read(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(metrics_line(1, {f"metric/{number}": 1.0 for number in range(50)}))
    reader = MetricTableReader(path)
    reader.read(most=16)
    assert len(reader.metric_names()) == 50


def test_a_resumed_run_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    file = MetricsFile(path)
    for step in (1, 2, 3):
        file.append(step, {"reward/mean": float(step)})
    reader = MetricTableReader(path)
    reader.read()
    file.truncate_after(1)
    file.append(2, {"reward/mean": 20.0})
    file.append(3, {"reward/mean": 30.0})
    reader.read()
    assert values(reader, "reward/mean") == [(1, 1.0), (2, 20.0), (3, 30.0)]


def test_lines_that_are_no_rows_are_counted_and_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"not json\n[1]\n" + metrics_line(1, {"a": 1.0}).encode() + b'{"step": 2, "a": "\xff\xfe"}\n')
    reader = MetricTableReader(path)
    reader.read()
    assert reader.broken == 2
    assert values(reader, "a")[0] == (1, 1.0) and math.isnan(values(reader, "a")[1][1])


def test_a_metric_that_comes_late_or_stops_keeps_its_steps(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    rows = [(1, {"a": 1.0}), (2, {"a": 2.0, "late": 5.0}), (3, {"late": 6.0}), (4, {"a": 4.0})]
    path.write_text(metrics_line(0, {"eval/pass@1": 0.5}) + "".join(metrics_line(*row) for row in rows))
    reader = MetricTableReader(path)
    reader.read()
    finite = {name: [pair for pair in values(reader, name) if pair[1] == pair[1]] for name in ("a", "late")}
    assert finite == {"a": [(1, 1.0), (2, 2.0), (4, 4.0)], "late": [(2, 5.0), (3, 6.0)]}
    assert values(reader, "eval/pass@1") == [(0, 0.5)]


def test_there_need_be_no_file_yet(tmp_path: Path) -> None:
    reader = MetricTableReader(tmp_path / "metrics.jsonl")
    assert not reader.read() and reader.metric_names() == set()
