"""The experiment on a pretrained model: what is measured, in which order, and what its record says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks.harness.record import Row
from benchmarks.real_model import benchmark as real_model
from benchmarks.real_model.benchmark import Chosen, measure, readings_of_run, table
from benchmarks.real_model.figure import draw
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
    first = [{"part": "first", "seed": 0, "row": "tvo_2025", "lr": rate} for rate in (1e-5, 3e-5, 1e-4)]
    assert [one.key for one in pending[:5]] == [
        *first,
        {"part": "first", "seed": 0, "row": "tvo"},
        first[0] | {"seed": 1},
    ]
    given = [dict(map(config.split_override, words)) for words in started]
    jobs = [tuple(one[key].split(",") for key in ("seed", "algorithm", "optimizer.lr")) for one in given]
    parts = (jobs[:12], jobs[12:15], jobs[15:])
    assert [sum(len(names) * len(rates) for _, names, rates in part) for part in parts] == [27, 9, 18]
    assert all(rates == ["3e-05", "0.0003"] for _, _, rates in jobs[15:]), (
        "of each rival the pilot's best, and ten times"
    )
    assert len({words[-1] for words in started}) == len(started), "a folder each"


def test_every_batch_has_as_many_responses(started: list[list[str]]) -> None:
    """32 a step, TVO's with one response a prompt, and the passes of all are the preset's."""
    for one in measure(Chosen(seeds=(0,)), cast(Any, Readings(PILOT))):
        one.measure()
    sizes = {}
    for words in started:
        of_sweep = [word for word in words if not word.startswith(("seed=", "optimizer.lr=", "algorithm="))]
        for name in dict(map(config.split_override, words))["algorithm"].split(","):
            sizes[name] = dict(config.compose([*of_sweep, f"algorithm={name}"]).rollout)
    assert {name: (one["prompts"], one["samples"]) for name, one in sizes.items()} == dict.fromkeys(sizes, (4, 8)) | {
        "tvo": (32, 1)
    }
    assert {(one["epochs"], one["minibatches"]) for one in sizes.values()} == {(2, 2)}


def test_a_record_with_some_of_a_sweep_lacks_the_others() -> None:
    """TVO's sweep is not taken for there because another row has its seed and rate."""
    there = [run_of("first", name, rate, 0, 0.5) for name in ("tvo_2025", "grpo") for rate in (1e-5, 3e-5, 1e-4)]
    record = cast(Any, Readings([*PILOT, *there]))
    pending = [one for one in measure(Chosen(seeds=(0,)), record) if not one.is_in(record)]
    assert [one.key["row"] for one in pending] == ["tvo", "reinforce", "grpo_shrunk_cv", "ppo"]


def test_whole_seeds_are_compared() -> None:
    """Of two seeds with both rates the difference is 0.1 and 0.3: 0.2 ± 12.706·0.1; a third, half there, waits."""
    runs = [
        run_of("first", name, rate, seed, final if rate == 3e-5 else 0.1)
        for name, finals in (("tvo", (0.9, 0.9)), ("grpo", (0.8, 0.6)))
        for seed, final in enumerate(finals)
        for rate in (1e-5, 3e-5)
    ]
    late = run_of("first", "grpo", 3e-5, 2, 0.0)
    found = table(cast(Any, Readings([*runs, late])))
    assert "| row, against tvo at 0.900" in found
    (line,) = [line for line in found.splitlines() if line.startswith("| grpo | 0.700")]
    assert "| -0.200 [-1.471, +1.071] |" in line and line.endswith("| 2 |")
    assert "against" not in table(cast(Any, Readings([late])))


def test_the_figure_has_every_run_but_the_pilots(tmp_path: Path) -> None:
    draw(cast(Any, Readings(PILOT)), tmp_path)
    assert not list(tmp_path.iterdir())
    runs = [run_of("first", name, rate, 0, 0.5) for name in ("tvo", "grpo") for rate in (1e-5, 3e-5)]
    draw(cast(Any, Readings([*runs, *PILOT])), tmp_path)
    drawn = (tmp_path / "rates.svg").read_text()
    assert drawn.count("<!-- tvo -->") == drawn.count("<!-- grpo -->") == 1 and "<!-- ppo -->" not in drawn


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
