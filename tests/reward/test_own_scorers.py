"""A scorer of a user's own judges instead of the rules: for a run, for a data set, for `tvo grade`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tvo_cli.errors import UserError
from tvo_cli.reward.grader import Grader
from tvo_cli.reward.grader_version import grader_version
from tvo_cli.reward.own_scorers import checked_own_scorer
from tvo_cli.types import Problem, Verdict

CODE = """
def says(responses, problems): return [p.answer in text for text, p in zip(responses, problems)]
def unsure(responses, problems): return [None] * len(responses)
def rude(responses): return [True, 0.5]
def reads(responses): return [{"correct": True, "extracted": text[-1]} for text in responses]
"""
OURS = Problem("o", "1 + 1", "2", "mine", scorer="math")
THEIRS = Problem("t", "1 + 1", "2", "mine", scorer="mine.py:says")


@pytest.fixture(autouse=True)
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(CODE)


def verdicts(texts: list[str], problems: list[Problem], ended: bool = True, **node: Any) -> list[Verdict]:
    with Grader({"isolated": False, "workers": 1, **node}) as grader:
        return grader.grade(texts, problems, [ended] * len(texts))


def test_a_problem_that_names_one_is_judged_by_it_and_its_neighbours_by_the_rules() -> None:
    found = verdicts(["it is 2", "it is 2", r"\boxed{3}"], [OURS, THEIRS, THEIRS])
    assert found == [
        Verdict(False, None, "no answer"),
        Verdict(True, None, "equal"),
        Verdict(False, "3", "different"),
    ]


def test_that_of_the_run_judges_every_response() -> None:
    assert [one.correct for one in verdicts(["2"] * 2, [OURS, THEIRS], scorer="mine.py:says")] == [True, True]
    assert verdicts(["so 7"], [OURS], scorer="mine.py:reads") == [Verdict(True, "7", "equal")]


def test_a_response_without_an_end_is_wrong_unless_the_run_says_otherwise() -> None:
    assert verdicts(["2"], [THEIRS], ended=False) == [Verdict(False, None, "unfinished")]
    assert verdicts(["2"], [THEIRS], ended=False, unfinished="graded") == [Verdict(True, None, "equal")]


def test_no_opinion_is_no_judgement() -> None:
    assert verdicts(["2"], [OURS], scorer="mine.py:unsure") == [Verdict(False, None, "no opinion", failed=True)]


def test_a_fault_names_the_row_or_is_counted() -> None:
    with pytest.raises(UserError, match=r"^reward\.scorer=mine\.py:rude: row 1 \(problem t\): is float 0\.5; a scorer"):
        verdicts(["2", "2"], [OURS, THEIRS], scorer="mine.py:rude")
    found = verdicts(["2", "2"], [OURS, THEIRS], scorer="mine.py:rude", on_error="count")
    assert found == [Verdict(True, None, "equal"), Verdict(False, None, "scorer failed", failed=True)]


def test_changed_code_is_another_grader() -> None:
    before = grader_version({"deadline": 5.0, "scorer": "mine.py:says"})
    assert grader_version({"deadline": 5.0}, ["mine.py:says", "math", None]) == before
    Path("mine.py").write_text(CODE + "\n# otherwise\n")
    assert grader_version({"deadline": 5.0, "scorer": "mine.py:says"}) != before
    assert "mine.py" not in grader_version({"deadline": 5.0}, ["math"])


def test_a_command_names_what_is_wrong_with_a_scorer() -> None:
    assert checked_own_scorer("--scorer", "mine.py:says") == "mine.py:says"
    for scorer, said in (("math", "names no function"), ("mine.py:sys", "Nearest: says"), ("reasoning_gym:x", "names")):
        with pytest.raises(UserError, match=rf"^--scorer={scorer}: .*{said}"):
            checked_own_scorer("--scorer", scorer)
