"""What every benchmark shares: its record, its settings, its command line."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness import child_process
from benchmarks.harness.benchmark import Benchmark, Measurement, Skipped, Unfinished
from benchmarks.harness.command_line import run
from benchmarks.harness.machine import machine, versions
from benchmarks.harness.markdown import median, several, spread, table
from benchmarks.harness.power_law import fit
from benchmarks.harness.record import Field, Record, Row, Table, flag, group, number, numbers, read, text, write
from benchmarks.harness.settings import Settings, of_measurement, option

FIELDS = {"n": number("size", "1"), "square": number("of it", "1"), "met": flag("whether it is one")}


class Chosen(Settings):
    """What can be chosen."""

    sizes: tuple[int, ...] = option((1, 2, 3), "what is squared")
    seeds: tuple[int, ...] = option((0,), "of nothing")
    limit: int = option(10, "largest size", gt=0)
    words: tuple[str, ...] = option((), "more", positional=True)


class Squares:
    """Numbers squared, with a list of what was computed and a size at which it stops once."""

    def __init__(self, stops_at: int = -1) -> None:
        self.computed: list[int] = []
        self.stops_at = stops_at

    def square(self, n: int) -> Row:
        if n == self.stops_at:
            self.stops_at = -1
            raise KeyboardInterrupt
        self.computed.append(n)
        return {"square": n * n, "met": True}

    def measure(self, settings: Chosen) -> Iterator[Measurement]:
        for n in settings.sizes:
            yield Measurement("squares", {"n": n}, partial(self.square, n))

    def benchmark(self, **changes: Any) -> Benchmark[Chosen]:
        given: dict[str, Any] = {"measure": self.measure, "table": shown, "notes": ("exact",)} | changes
        return Benchmark("squares", "Squares.", Chosen, {"sizes": (2,)}, {"squares": FIELDS}, **given)


def shown(record: Record) -> str:
    return table(["n", "n²"], [[row["n"], row["square"]] for row in record.rows("squares")])


def test_the_record_says_what_was_measured_how_and_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a" / "squares.json"
    assert run(Squares().benchmark(), ["--sizes", "2", "3", "--out", str(path), "--", "more words"]) == 0
    printed = capsys.readouterr().out
    found = read(path)
    assert printed == "| n | n² |\n| --- | --- |\n| 2 | 4 |\n| 3 | 9 |\n"
    assert found.command == f"python -m benchmarks.squares --sizes 2 3 --out {path} -- 'more words'"
    assert found.settings == {"sizes": [2, 3], "seeds": [0], "limit": 10, "words": ["more words"]}
    assert (found.seeds, found.notes, found.quick) == ([0], ["exact"], False) and found.ended
    assert {"python", "numpy"} <= found.versions.keys() and found.machine.cores > 0


def test_a_table_is_made_from_the_record_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    squares, path = Squares(), tmp_path / "squares.json"
    run(squares.benchmark(), ["--out", str(path)])
    first, computed = capsys.readouterr().out, list(squares.computed)
    assert run(squares.benchmark(), ["--read", str(path)]) == 0
    assert capsys.readouterr().out == first and squares.computed == computed


def test_what_was_measured_before_a_stop_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    squares, path = Squares(stops_at=3), tmp_path / "squares.json"
    with pytest.raises(KeyboardInterrupt):
        run(squares.benchmark(), ["--out", str(path)])
    assert read(path).ended is None and [row["n"] for row in read(path).rows("squares")] == [1, 2]
    run(squares.benchmark(), ["--read", str(path)])
    assert "> unfinished" in capsys.readouterr().out
    assert run(squares.benchmark(), ["--out", str(path)]) == 0
    assert squares.computed == [1, 2, 3] and read(path).ended
    assert "unfinished, 2 rows are kept" in capsys.readouterr().err


class Parallel(Chosen):
    """With processes."""

    workers: int = option(2, "processes")


@pytest.mark.slow
def test_processes_measure_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(settings: Parallel) -> Iterator[Measurement]:
        for n in (*settings.sizes, *fails):
            yield Measurement("squares", {"n": n}, partial(dict, square=n * n, met=True) if n < 9 else failing)

    failing: partial[Any] = partial(int, "?")
    monkeypatch.setattr(
        sys.modules["__main__"], "__file__", None, raising=False
    )  # children would run the script of pytest again
    path, fails = tmp_path / "squares.json", [9]
    parallel = dataclasses.replace(Squares().benchmark(), settings=Parallel, measure=measure)
    with pytest.raises(ValueError, match="invalid literal"):
        run(parallel, ["--out", str(path)])
    fails.clear()
    assert run(parallel, ["--out", str(path)]) == 0
    assert sorted((row["n"], row["square"]) for row in read(path).rows("squares")) == [(1, 1), (2, 4), (3, 9)]


@pytest.mark.parametrize("words", [["--anew"], ["--limit", "9"]], ids=["asked for", "other settings"])
def test_other_settings_do_not_go_on_with_a_record(tmp_path: Path, words: list[str]) -> None:
    squares, path = Squares(stops_at=3), tmp_path / "squares.json"
    with pytest.raises(KeyboardInterrupt):
        run(squares.benchmark(), ["--out", str(path)])
    run(squares.benchmark(), ["--out", str(path), *words])
    assert squares.computed == [1, 2, 1, 2, 3]
    assert len(read(tmp_path / "squares.previous.json").rows("squares")) == 2, "the one before is set aside"


def test_quick_takes_its_own_settings_unless_others_are_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    squares, path = Squares(), tmp_path / "squares.json"
    run(squares.benchmark(), ["--quick", "--out", str(path)])
    run(squares.benchmark(), ["--quick", "--sizes", "7", "--out", str(path)])
    assert squares.computed == [2, 7] and read(path).quick
    assert "quote no number" in capsys.readouterr().out


def test_what_was_asked_for_and_not_met_fails_the_command(tmp_path: Path) -> None:
    def measure(settings: Chosen) -> Iterator[Measurement]:
        yield Measurement("squares", {"n": 1}, lambda: {"square": 1, "met": False})

    failing = Squares().benchmark(measure=measure)
    assert run(failing, ["--out", str(tmp_path / "a.json")]) == 1
    assert run(failing, ["--quick", "--out", str(tmp_path / "b.json")]) == 0


def test_a_machine_that_cannot_measure_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def measure(settings: Chosen) -> Iterator[Measurement]:
        raise Skipped("there is no abacus")
        yield

    assert run(Squares().benchmark(measure=measure), ["--out", str(tmp_path / "a.json")]) == 0
    assert capsys.readouterr().out == "skipped: there is no abacus\n" and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--limit", "0"], "--limit: Input should be greater than 0"),
        (["--sizes", "many"], "--sizes: Input should be a valid integer"),
        (["--size", "3", "--read", "none.json"], "--read: "),
        (["--nothing"], "unrecognized arguments: --nothing"),
    ],
)
def test_a_wrong_option_is_named(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(Squares().benchmark(), words)
    assert stopped.value.code == 2 and said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"n": 1, "square": 1}, "fields"),
        ({"n": 1, "square": 1, "met": True, "more": 2}, "fields"),
        ({"n": 1, "square": 1, "met": "yes"}, "is no flag"),
        ({"n": 1, "square": float("nan"), "met": True}, "is no number"),
        ({"n": True, "square": 1, "met": True}, "is no number"),
    ],
)
def test_a_row_has_the_declared_fields(row: Row, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        Table(fields=FIELDS, rows=[row])
    path = tmp_path / "squares.json"
    run(Squares().benchmark(), ["--out", str(path)])
    spoiled = json.loads(path.read_text(encoding="utf-8"))
    spoiled["tables"]["squares"]["rows"] = [row]
    path.write_text(json.dumps(spoiled), encoding="utf-8")
    with pytest.raises(ValueError, match="is no record of a benchmark"):
        read(path)


def test_numbers_have_units_and_words_have_none() -> None:
    with pytest.raises(ValueError, match="has a unit"):
        number("a length", "")
    with pytest.raises(ValueError, match="has a unit"):
        Field(kind="text", what="a name", unit="s")
    assert numbers("times", "s").unit == "s" and text("a name").unit == ""


def test_rows_are_grouped_in_order() -> None:
    rows = [{"a": 2, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 3}]
    assert group(rows, "a") == {(2,): [rows[0], rows[2]], (1,): [rows[1]]}


def test_an_exponent_is_found_with_an_interval_that_holds_it() -> None:
    x = [1.0, 2.0, 4.0, 8.0, 16.0]
    exact = fit(x, [3 * v**1.5 for v in x])
    assert exact.exponent == pytest.approx(1.5) and exact.high - exact.low < 1e-6
    noisy = fit(x, [v**2 * (1.1 if i % 2 else 0.9) for i, v in enumerate(x)])
    assert noisy.low < 2.0 < noisy.high and noisy.high - noisy.low > 0.05
    assert str(exact) == "1.500 [1.500, 1.500]"


def test_spreads_and_tables() -> None:
    assert spread([3.0, 1.0, 2.0], 1) == "2.0 (1.0 … 3.0)"
    assert spread([]) == "–" and median([]) == 0.0 and several([1, 2]) == "1 · 2"
    assert table(["a", "b"], [[1, "x"]]) == "| a | b |\n| --- | --- |\n| 1 | x |"


def test_a_child_tells_what_went_wrong() -> None:
    assert child_process.run([sys.executable, "-c", "print('noise'); print('{\"a\": 1}')"]) == {"a": 1}
    with pytest.raises(SystemExit, match="ZeroDivisionError"):
        child_process.run([sys.executable, "-c", "1/0"])


def test_the_machine_is_named() -> None:
    assert machine().processor and {"python", "torch", "tvo-cli"} <= versions().keys()


def test_only_our_own_interpreter_is_given_our_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "carried")
    assert child_process.surroundings(sys.executable)["PYTHONPATH"] == f"{child_process.ROOT}{os.pathsep}carried"
    assert child_process.surroundings("/other/bin/python")["PYTHONPATH"] == str(child_process.ROOT)
    monkeypatch.delenv("PYTHONPATH")
    assert child_process.surroundings(sys.executable)["PYTHONPATH"] == str(child_process.ROOT)


def test_a_measurement_without_time_is_unfinished_and_its_rows_are_written_at_once(tmp_path: Path) -> None:
    squares, path = Squares(), tmp_path / "squares.json"

    def measure(settings: Chosen) -> Iterator[Measurement]:
        for n, measurement in enumerate(squares.measure(settings)):
            if n == 2 and squares.stops_at != 0:
                assert len(read(path).rows("squares")) == 2
                raise Unfinished("no time")
            yield measurement

    benchmark = squares.benchmark(measure=measure, rows_at_once=True)
    assert run(benchmark, ["--out", str(path)]) == 0 and read(path).ended is None
    squares.stops_at = 0
    assert run(benchmark, ["--out", str(path)]) == 0
    assert squares.computed == [1, 2, 3] and read(path).ended
    lines = [json.loads(line) for line in path.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["table"], line["n"], line["square"]) for line in lines] == [
        ("squares", 1, 1), ("squares", 2, 4), ("squares", 3, 9),
    ]  # fmt: skip


def test_a_setting_of_one_start_is_no_other_measurement() -> None:
    class OfStart(Chosen):
        """With a time."""

        minutes: float = option(1.0, "of this start", of_start=True)

    kept = of_measurement(OfStart, OfStart(minutes=5.0).model_dump())
    assert kept == of_measurement(OfStart, OfStart().model_dump()) == Chosen().model_dump()


def test_a_record_that_cannot_go_on_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    over, path = tmp_path / "over.json", tmp_path / "squares.json"
    run(Squares().benchmark(), ["--out", str(over)])
    with pytest.raises(SystemExit) as stopped:
        run(Squares().benchmark(), ["--resume", str(over), "--out", str(path)])
    assert stopped.value.code == 2 and f"--resume: {over} is complete: --read {over}" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(Squares().benchmark(), ["--resume", str(tmp_path / "none.json"), "--out", str(path)])
    assert "none.json is no unfinished record of these settings" in capsys.readouterr().err
    assert not path.exists()


def test_a_record_goes_on_elsewhere_only_where_that_is_allowed_and_says_so(tmp_path: Path) -> None:
    path, squares = tmp_path / "squares.json", Squares(stops_at=2)
    with pytest.raises(KeyboardInterrupt):
        run(squares.benchmark(), ["--out", str(path)])
    record = read(path)
    record.machine.processor, record.versions["torch"] = "another", "0.1"
    write(path, record)
    with pytest.raises(SystemExit):
        run(squares.benchmark(), ["--resume", str(path), "--out", str(path)])
    assert run(squares.benchmark(any_machine=True), ["--resume", str(path), "--out", str(path)]) == 0
    found = read(path)
    assert squares.computed == [1, 2, 3] and len(found.rows("squares")) == 3
    (note,) = found.notes[1:]
    assert f"goes on after 1 rows, on {machine().processor}: torch {versions()['torch']}" in note


def test_what_follows_can_depend_on_the_rows_before_it(tmp_path: Path) -> None:
    squares, path = Squares(), tmp_path / "squares.json"

    def measure(settings: Chosen, record: Record) -> Iterator[Measurement]:
        yield from squares.measure(settings)
        most = max(row["square"] for row in record.rows("squares"))
        yield Measurement("squares", {"n": most}, partial(squares.square, most))

    assert run(squares.benchmark(measure=measure, of_record=True), ["--out", str(path)]) == 0
    assert squares.computed == [1, 2, 3, 9]
