"""Reward functions of a user's own, here in this process: columns, names, faults told or counted."""

from __future__ import annotations

import logging
import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from tvo_cli.errors import UserError
from tvo_cli.reward.function_here import run_state_kept
from tvo_cli.reward.reward_functions import FunctionRewards, ResponsesToReward, RewardFunctions
from tvo_cli.types import Problem, Verdict

CODE = """
import os, random
calls = []
def seen(**everything): calls.append(sorted(everything)); return [float(everything["step"])] * 2
def hard(problems, verdicts): return [p["difficulty"] * v.correct for p, v in zip(problems, verdicts)]
def bad(responses): return [1.0 if text else float("nan") for text in responses]
def short(responses): return [1.0]
def moves(responses): os.chdir("/"); random.seed(0); return [random.random() for _ in responses]
"""
PROBLEM = Problem("p/1", "1 + 1", "2", "mine", metadata={"difficulty": 3})
BATCH = ResponsesToReward(
    prompts=["1 + 1 ="] * 2,
    responses=["two", ""],
    problems=[PROBLEM] * 2,
    verdicts=[Verdict(True, "2", "equal"), Verdict(False, None, "no answer")],
    lengths=[1, 0],
    finished=[True, True],
)


@pytest.fixture(autouse=True)
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(CODE)


def functions(*names: str, **node: Any) -> RewardFunctions:
    entries = [{"call": f"mine.py:{name}"} for name in names]
    return RewardFunctions.of({"functions": entries, "isolated": False, **node}, seed=0)


def test_each_function_has_its_rewards_by_name() -> None:
    found = functions("seen", "hard").score(BATCH, step=7)
    assert found == {"seen": FunctionRewards((7.0, 7.0)), "hard": FunctionRewards((3.0, 0.0))}


def test_double_star_gets_every_column() -> None:
    chosen = functions("seen")
    chosen.score(BATCH, step=1)
    calls = chosen._callers["seen"]._function.__globals__["calls"]  # type: ignore[union-attr]
    assert calls == [["finished", "lengths", "problems", "prompts", "responses", "step", "verdicts"]]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bad", r"^reward\.functions\.0=mine\.py:bad: step 12, row 1 \(problem p/1\): is nan\. .*on_error=count"),
        ("short", r"^reward\.functions\.0=mine\.py:short: step 12, 2 responses: returned 1 values for 2 responses\."),
    ],
)
def test_a_fault_stops_the_run_and_names_function_step_and_row(name: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        functions(name).score(BATCH, step=12)


def test_or_its_rows_are_no_opinion_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "tvo"):
        found = functions("bad", "short", on_error="count").score(BATCH, step=12)
    assert found == {"bad": FunctionRewards((1.0, None), 1), "short": FunctionRewards((None, None), 2)}
    assert "reward/bad: step 12, row 1 (problem p/1): is nan; counted as no opinion" in caplog.text


def test_what_a_function_does_to_random_generators_and_the_folder_is_undone() -> None:
    here, python, tensors = Path.cwd(), random.getstate(), torch.get_rng_state()
    first = functions("moves").score(BATCH, step=1)
    assert (Path.cwd(), random.getstate()) == (here, python) and torch.equal(torch.get_rng_state(), tensors)
    assert functions("moves").score(BATCH, step=1) == first


def test_so_is_what_its_file_does_when_it_is_loaded() -> None:
    before = random.getstate()
    with run_state_kept():
        random.seed(1)
        os.chdir("/")
    assert random.getstate() == before and Path.cwd() != "/"


def test_nothing_is_loaded_before_the_first_call() -> None:
    Path("mine.py").unlink()
    assert functions("hard").weights == {"hard": 1.0}
    with pytest.raises(UserError, match="there is no such file"):
        functions("hard").score(BATCH, step=1)


def test_a_problem_has_its_fields_and_its_rows_columns_by_name() -> None:
    assert (PROBLEM["answer"], PROBLEM["difficulty"]) == ("2", 3)
    with pytest.raises(KeyError, match=r"the problem p/1 has no column colour; it has id, .*difficulty"):
        PROBLEM["colour"]
