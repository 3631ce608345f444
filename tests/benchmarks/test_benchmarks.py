"""Each benchmark: the shape that all have, a quick run, and the sums behind its table."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
import shlex
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from benchmarks import (
    divergence,
    evaluation,
    scaling,
    startup,
    step,
    variance_reading,
)
from benchmarks.coverage import benchmark as coverage
from benchmarks.first_light import figure as first_light_figure
from benchmarks.harness.benchmark import Benchmark, Measurement
from benchmarks.harness.command_line import command_line, run, settings_of
from benchmarks.harness.record import Row, read
from benchmarks.sweeps.runs import collapsed
from benchmarks.workload.work import W1

FOLDER = Path(coverage.__file__).parents[1]
FILES = [path for path in FOLDER.glob("**/*.py") if "\nBENCHMARK = " in path.read_text(encoding="utf-8")]
MODULES = [".".join(path.relative_to(FOLDER.parent).with_suffix("").parts) for path in FILES]
PLACES = {module.split(".")[1]: module for module in MODULES}  # benchmarks.NAME or benchmarks.NAME.benchmark
NAMES = sorted(PLACES)
QUICK = {"coverage", "divergence", "rescored"}  # the others start processes or train
PAGES = [FOLDER / "README.md", FOLDER.parent / "README.md", *(FOLDER.parent / "docs").rglob("*.md")]
PLAN_ALONE = {"second_edition"}  # its quick run times the plan and is not over
COMMAND = re.compile(r"python -m benchmarks\.(\w+)((?: +(?!#)[^\s`;)]+)*)")


def benchmark(name: str) -> Benchmark[Any]:
    found: Benchmark[Any] = importlib.import_module(PLACES[name]).BENCHMARK
    return found


@pytest.mark.parametrize("name", NAMES)
def test_help_names_every_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(benchmark(name), ["--help"])
    said = capsys.readouterr().out
    assert stopped.value.code == 0 and benchmark(name).name == name
    assert {"--quick", "--out", "--anew", "--read"} <= set(re.findall(r"--[a-z-]+", said))
    assert set(benchmark(name).quick) <= benchmark(name).settings.model_fields.keys()


def commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        yield from COMMAND.findall(page.read_text(encoding="utf-8"))


def test_commands_on_pages_are_understood() -> None:
    found = sorted(set(commands()))
    assert len(found) > 15
    for name, words in found:
        if name not in ("NAME", "workload"):
            one, asked = benchmark(name), shlex.split(re.sub(r"[\[\]]", "", words))
            own = [*takewhile(lambda word: word not in (">", ">>", "|"), asked)]  # the rest is the shell's
            settings_of(one, command_line(one).parse_intermixed_args(own))


def test_the_readme_lists_every_benchmark() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8").partition("## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)) == set(NAMES)


def test_functions_and_files_are_short() -> None:
    for path in FOLDER.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") < 300, path
        for node in ast.walk(ast.parse(text)) if path.parent.name != "peers" else ():
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno + 1 < 30, (path.name, node.name)


def never(_: Any) -> Iterator[Measurement]:
    raise AssertionError("measured again")
    yield


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in NAMES]
)
def test_a_quick_run_writes_a_record_from_which_its_table_is_made(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, path = benchmark(name), tmp_path / f"{name}.json"
    apart = ["--folder", str(tmp_path / "runs")] if name == "first_light" else []  # it reads runs that are there
    apart += ["--device", "cpu"] if name == "gpu" else []
    assert run(found, ["--quick", "--out", str(path), *apart]) == 0
    printed = capsys.readouterr().out
    record = read(path)
    assert (
        bool(record.ended) != (name in PLAN_ALONE)
        and record.benchmark == name
        and any(table.rows for table in record.tables.values())
    )
    assert re.search(r"^\| .* \|\n\| --- \|", printed, flags=re.MULTILINE)
    assert run(dataclasses.replace(found, measure=never), ["--read", str(path)]) == 0
    assert capsys.readouterr().out == printed


def test_the_same_seed_gives_the_same_numbers_and_another_gives_others() -> None:
    def rows(seed: int) -> list[Row]:
        settings = coverage.Chosen(
            parts=("intervals", "rates"), trials=20, seeds=(seed,), only=("welch", "a clear best")
        )
        return [one.measure() for one in coverage.measure(settings)]  # type: ignore[misc]

    assert rows(0) == rows(0) != rows(1)


def process(**changes: Any) -> Row:
    row = {"side": "tvo", "turn": 0, "step": [2.0], "generation": [1.0], "log_probs": [0.0], "update": [1.0]}
    return row | {"optimizer": [0.0], "tokens": [100], "peak_mb": 100.0, "base_mb": 1.0} | changes


class Rows:
    """A record of which only the rows are asked for."""

    def __init__(self, *rows: Row) -> None:
        self.found = list(rows)

    def rows(self, table: str) -> list[Row]:
        return self.found


def test_ratios_are_peer_over_ours_and_memory_ours_over_peers() -> None:
    mine, theirs = process(), process(side="trl", step=[5.0], peak_mb=400.0)
    found = step.ratios(Rows(mine, theirs))  # type: ignore[arg-type]
    assert found["step, trl/tvo"] == [2.5] and found["peak_mb, tvo/trl"] == [0.25]
    assert step.ratios(Rows(mine))["step, trl/tvo"] == []  # type: ignore[arg-type]
    assert step.medians(mine)["tokens_per_second"] == 50.0


def test_problems_a_second_and_their_ratio() -> None:
    mine, theirs = (
        {"side": side, "problems": 200, "samples": 8, "cpu": cpu, "wall": 2 * cpu, "score": 0.5}
        for side, cpu in (("tvo", 5.0), ("lm-eval", 15.0))
    )
    found = evaluation.table(Rows(mine, theirs))  # type: ignore[arg-type]
    assert "tvo, problems/s by cpu | 40.00 " in found and "lm-eval, problems/s by wall | 6.67 " in found
    assert "ratio by cpu | 3.00 (3.00 … 3.00)" in found
    assert "ratio" not in evaluation.table(Rows(mine))  # type: ignore[arg-type]


def test_the_reading_s_cost_is_taken_between_steps_with_and_without() -> None:
    row = {"on": [1, 0], "step": [11.0, 10.0], "update": [6.0, 5.0], "inside": [0.5, 0.0]}
    assert variance_reading.shares(row) == {"step_off": 10.0, "inside": 0.05, "difference": pytest.approx(0.1)}


def test_divergences_agree_with_each_other() -> None:
    made = divergence.methods(300, 8)
    exact, binary, top = (made[name][0]() for name in ("exact TV", "binary TV", "top-64 TV"))
    assert (binary <= exact + 1e-6).all() and (top <= exact + 1e-6).all() and (made["exact KL"][0]() >= 0).all()
    assert made["binary TV"][1] == 4 and made["exact TV"][1] == 1200


def test_exponents_are_those_of_the_rows() -> None:
    rows = [
        {"method": method, "vocabulary": size, "microseconds": time}
        for size in (100, 1000, 10_000)
        for method, time in (("flat", 3.0), ("linear", 2.0 * size))
    ]
    found = divergence.exponents(rows)
    assert found["flat"].exponent == pytest.approx(0.0)  # type: ignore[union-attr]
    assert found["linear"].exponent == pytest.approx(1.0)  # type: ignore[union-attr]
    assert divergence.exponents(rows[:4]) == {"flat": None, "linear": None}


def test_axes_vary_one_thing() -> None:
    for axis, points in scaling.points(W1).items():
        sizes = [size for size, _ in points]
        assert sizes == sorted(sizes) and len(set(sizes)) == len(points) >= 4, axis
        assert len({work.name for _, work in points}) == len(points)
        for _, work in points:
            assert work.hidden % work.heads == 0 and work.heads % work.kv_heads == 0


def test_start_up_sees_what_is_imported() -> None:
    assert startup.imported(["-c", "import numpy"]) == ["numpy"]
    wall, cpu = startup.seconds(sys.executable, ["-c", "sum(range(10**6))"], "")
    assert 0.0 < cpu < 5.0 and wall > 0.0


def test_a_run_has_collapsed_below_half_of_its_peak_or_without_entropy() -> None:
    steps = [{"accuracy/fresh": value, "policy/entropy": 1.0} for value in (0.4, 0.8, 0.8, 0.8, 0.5)]
    assert not collapsed(steps, 0.41) and collapsed(steps, 0.39)
    flat = [row | {"policy/entropy": entropy} for row, entropy in zip(steps, (1.0, 0.5, 0.1, 0.05, 0.05))]
    assert collapsed(flat, 0.8)


@pytest.mark.slow
def test_the_figure_has_a_line_for_each_algorithm(tmp_path: Path) -> None:
    rows = [
        {"part": "rates", "algorithm": algorithm, "lr": lr, "final": lr * 100 + seed / 100}
        for algorithm in ("grpo", "unknown")
        for lr in (1e-3, 1e-4)
        for seed in range(3)
    ]
    first_light_figure.draw(Rows(*rows), tmp_path / "figures")  # type: ignore[arg-type]
    drawn = (tmp_path / "figures" / "rates.svg").read_text(encoding="utf-8")
    assert "<!-- GRPO -->" in drawn and "<!-- PPO -->" not in drawn and "unknown" not in drawn
