"""The work that both sides of a benchmark are given, and how its time is taken."""

from __future__ import annotations

import ast
import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.workload import step_process
from benchmarks.workload.forced_lengths import force_lengths
from benchmarks.workload.operations import Operation, seconds_by_kind
from benchmarks.workload.stopwatch import Stopwatch
from benchmarks.workload.tvo_variance import Meter
from benchmarks.workload.work import (
    TINY,
    W1,
    WORKS,
    build,
    character_tokenizer,
    end_token,
    lengths,
    named,
    questions,
    reward,
)
from tests.model.conftest import policy as policy
from tvo_cli.model import Policy
from tvo_cli.rollout import SamplingParams, generate
from tvo_cli.rollout.decoding import continuous_batching, waiting_rows

ROOT = Path(step_process.__file__).parents[2]


def test_parts_of_a_step_add_up() -> None:
    parts, ticks = Stopwatch("wall"), iter(float(i) for i in range(100))
    parts.now = lambda: next(ticks)
    parts.begin()  # at 0
    timed = parts.wrapped("a", lambda x: x + 1)
    assert timed(1) == 2  # from 1 to 2
    timed(2)  # from 3 to 4
    parts.end_step(tokens=7)  # at 5
    assert parts.rows == [{"a": 2.0, "step": 5.0, "tokens": 7}]


def test_both_sides_are_given_the_same_lengths_and_they_are_skewed() -> None:
    work = WORKS["w1skew"]
    first, second = lengths(work, 0), lengths(work, 1)
    assert sorted(first) == sorted(second) and first != second
    assert (min(first), max(first), len(first)) == (8, 128, 128)
    assert 40 < sum(first) / 128 < 48  # log-uniform: (128 − 8)/ln 16 = 43


def test_prompts_and_rewards_differ_between_responses() -> None:
    texts = questions(50, 32)
    assert {len(text) for text in texts} <= set(range(30, 35)) and len(set(texts)) == 50
    assert len({reward(text[9:]) for text in texts}) > 3 and reward("") == 1.0


def test_the_end_token_lies_outside_the_model_unless_lengths_are_skewed() -> None:
    tokenizer, width = character_tokenizer(0, reachable_end=False)
    assert tokenizer.eos_token_id == width == len(tokenizer) - 1
    assert character_tokenizer(0, reachable_end=True)[1] == len(tokenizer)
    assert character_tokenizer(500, reachable_end=False)[1] == 500
    assert tokenizer.decode(tokenizer("7 + 3?\n")["input_ids"]) == "7 + 3?\n"


def imports(module: str) -> set[str]:
    """What a module of benchmarks/ imports when it is imported, and what that imports."""
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    if not path.exists():
        path = path.with_suffix("") / "__init__.py"
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in inner if ROOT.joinpath(*name.split(".")).with_suffix(".py").exists()}
            found |= {node.module} | modules
    return found.union(*(imports(name) for name in found if name.startswith("benchmarks")))


@pytest.mark.parametrize("module", ["trl_step", "lm_eval_side"])
def test_what_peers_run_needs_nothing_that_their_environments_lack(module: str) -> None:
    found = {name.split(".")[0] for name in imports(f"benchmarks.peers.{module}")} - set(sys.stdlib_module_names)
    assert "torch" in found and found <= {"torch", "benchmarks"}


def test_a_work_is_its_fields() -> None:
    assert named(json.dumps(vars(W1))) == W1 == named("w1")


def test_the_parts_of_a_process_and_what_is_left() -> None:
    row = {"step": [2.0, 4.0, 3.0], "generation": [1.0] * 3, "log_probs": [0.0] * 3}
    found = step_process.median_parts(row | {"update": [0.5] * 3, "optimizer": [0.1] * 3})
    assert found["step"] == 3.0 and found["generation"] == 1.0
    assert found["forward_backward"] == pytest.approx(0.4) and found["other"] == pytest.approx(1.5)


def test_a_switched_reading_is_on_in_every_other_step() -> None:
    meter, ticks = Meter("alternate", "wall"), iter(float(i) for i in range(100))
    meter.now = lambda: next(ticks)
    for on in (True, False, True):
        assert meter.begin() is on
        meter.timed(lambda: None)()
        meter.seen.append((on, meter.inside))
    assert meter.seen == [(True, 1.0), (False, 1.0), (True, 1.0)]


def test_operations_are_counted_in_the_innermost_part_of_the_step() -> None:
    calls = [
        Operation("aten::mm", [[4, 8], [8, 100]], 1.0, 0.1),
        Operation("aten::mm", [[4, 8], [8, 8]], 2.0, 0.2),
        Operation("aten::bmm", [], 11.0, 0.3),
        Operation("aten::mul_", [], 25.0, 0.4),
        Operation("aten::unheard_of", [], 25.0, 0.5),
    ]
    ranges = [(0.0, 1e6, "training"), (0.0, 10.0, "generation")]
    found = seconds_by_kind(calls, ranges, whole=3.0, vocabulary=100)
    assert found["generation/output head"] == 0.1 and found["generation/linear maps"] == 0.2
    assert found["update/attention products"] == 0.3 and found["update/other operations"] == 0.5
    assert found["update/sums and products by element"] == 0.4 and found["generation/outside operations"] == 0.0
    assert found["other parts/outside operations"] == pytest.approx(3.0 - 1.0)


@pytest.mark.parametrize(("name", "width"), [("w1", 92), ("w1skew", 93), ("smollm2", 49152), ("smollm2skew", 49152)])
def test_a_model_is_as_wide_as_its_work_says(name: str, width: int) -> None:
    work = named(name)
    assert work.width == width
    small = replace(work, vocabulary=min(work.vocabulary, 200))
    assert character_tokenizer(small.vocabulary, reachable_end=small.shortest > 0)[1] == small.width


@pytest.mark.slow
def test_a_skewed_work_is_built_and_our_side_runs_on_it(tmp_path: Path) -> None:
    """A step in a process of its own, as the benchmark does it, with a length for each response."""
    work = named(json.dumps(vars(TINY) | {"name": "small", "shortest": 2}))
    folder = build(work, tmp_path / "small", 4)
    sizes: dict[str, Any] = {"steps": 1, "warm_up": 1, "clock": "cpu"}
    found = step_process.measured("tvo", work, folder, python=sys.executable, core="", **sizes)
    assert found.keys() == step_process.FIELDS.keys() - {"side"}
    assert found["tokens"] == [sum(lengths(work, 1))]
    assert found["step"][0] > found["generation"][0] > 0.0 and found["update"][0] > found["optimizer"][0] > 0.0
    assert found["readings"]["policy/mismatch"] < 1e-5 and found["readings"]["gradient/variance"] > 0.0


def test_each_step_is_told_as_soon_as_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    told = io.StringIO()
    monkeypatch.setattr(Stopwatch, "told", told)
    parts = Stopwatch("wall")
    for tokens in (7, 8):
        parts.end_step(tokens=tokens)
        assert (
            json.loads(told.getvalue().splitlines()[-1])["row"] == parts.rows[-1] and parts.rows[-1]["tokens"] == tokens
        )


@pytest.mark.parametrize("vocabulary", [0, 200])
def test_the_end_token_is_that_of_the_tokenizer(vocabulary: int) -> None:
    made = replace(TINY, vocabulary=vocabulary)
    assert character_tokenizer(vocabulary, reachable_end=True)[0].eos_token_id == end_token(made)


def test_forced_lengths_are_those_of_the_responses(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the end is not the last token of the vocabulary, and where rows join others."""
    for module, name in ((waiting_rows, "uniform_numbers"), (continuous_batching, "sample_token")):
        monkeypatch.setattr(module, name, getattr(module, name))  # and taken back
    force_lengths(lambda rows: [3 + 2 * int(key) + sample for key, sample in rows], policy.end_ids)
    made = generate(policy, ["1 + 1 ="] * 4, "0123", SamplingParams(2, 20, batch_size=3), seed=0)
    assert made.mask.sum(1).tolist() == [3, 4, 5, 6, 7, 8, 9, 10] and made.finished.all()
