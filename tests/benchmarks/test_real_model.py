"""The experiment on a pretrained model: what is measured, in which order, and what its record says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks import real_model
from benchmarks.harness.record import Row
from benchmarks.real_model import Chosen, measure, readings_of_run, table
from tests.benchmarks.test_second_edition import Readings
from tvo_cli import config


def run_of(part: str, name: str, rate: float, seed: int, final: float) -> Row:
    found: Row = {"part": part, "row": name, "lr": rate, "seed": seed, "final": final, "start": 0.2, "commit": "c"}
    return found | {"late": 0.5, "noise": 2.0, "tv": 0.1, "settled": 0.3, "verdict": "healthy"}


PILOT = [
    run_of("pilot", name, rate, 3, final)
    for name in real_model.RIVALS
    for rate, final in ((1e-5, 0.5), (3e-5, 0.9), (1e-4, 0.1))
]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The words of each sweep, none of which is run."""
    found: list[list[str]] = []
    monkeypatch.setattr(real_model, "sweep_one_seed", lambda words, program, what: found.append(list(words)))
    monkeypatch.setattr(real_model, "runs_below", lambda folder, more: [])
    return found


def test_a_whole_seed_comes_before_the_next_and_rivals_have_the_pilots_rates(started: list[list[str]]) -> None:
    pending = list(measure(Chosen(), cast(Any, Readings(PILOT))))
    for one in pending:
        one.measure()
    assert [one.key for one in pending[:4]] == [
        {"part": "first", "seed": seed, "lr": rate} for seed, rate in ((0, 1e-5), (0, 3e-5), (0, 1e-4), (1, 1e-5))
    ]
    given = [dict(map(config.split_override, words)) for words in started]
    jobs = [tuple(one[key].split(",") for key in ("seed", "algorithm", "optimizer.lr")) for one in given]
    assert [sum(len(names) * len(rates) for _, names, rates in part) for part in (jobs[:9], jobs[9:12], jobs[12:])] == [
        *(18, 9, 18)
    ]
    assert all(rates == ["3e-05", "0.0003"] for _, _, rates in jobs[12:]), (
        "of each rival the pilot's best, and ten times"
    )
    assert len({words[-1] for words in started}) == len(started), "a folder each"


def test_what_a_run_says(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = [{"step": 0, "eval/pass@1": 0.21}]
    for number in range(1, 31):
        lines.append({"step": number, "accuracy/fresh": number / 30, "group/zero_advantage": float(number % 2)})
        lines[-1] |= {real_model.NOISE: 100.0 if number % 2 else 2.0, "policy/tv": 0.01 * number}
        lines[-1] |= {"policy/entropy": 1.0 if number <= 20 else 0.5, "eval/pass@1": 0.9}
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "collapse.json").write_text(json.dumps({"verdict": "collapsed", "collapsed_at": 7}))
    found = readings_of_run(tmp_path, lines[1:])
    assert found["late"] == pytest.approx(sum(range(11, 31)) / 20 / 30) and found["noise"] == 2.0
    assert (found["start"], found["tv"], found["settled"]) == (0.21, pytest.approx(0.3), 0.5)
    assert found["verdict"] == "collapsed at 7"


def test_the_pilot_is_listed_and_not_compared() -> None:
    found = table(
        cast(Any, Readings([*PILOT, run_of("first", "tvo", 1e-5, 0, 0.9), run_of("first", "tvo", 1e-5, 1, 0.7)]))
    )
    assert "| reinforce 3e-05, seed 3 | 0.200 → 0.900 | 0.500 |" in found
    assert "| tvo | 1e-05 | 0.800 [" in found and "| reinforce | 3e-05 |" not in found
