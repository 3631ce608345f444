"""Tasks of reasoning_gym, where the package is installed."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tvo_cli import data
from tvo_cli.errors import UserError
from tvo_cli.reward.json_tuples import tag_tuples, untag_tuples

if TYPE_CHECKING:
    from tvo_cli.data.problems import Problems


@pytest.fixture(autouse=True)
def installed() -> None:
    """Imported by the worker that runs these, not by every one that collects them."""
    pytest.importorskip("reasoning_gym")


def load(task: str = "chain_sum", split: str = "train", seed: int = 0, **more: Any) -> Problems:
    node = {"kind": "reasoning_gym", "name": "reasoning_gym", "task": task, "size": 50} | more
    return data.load(node, split=split, seed=seed)


def test_entries_are_pure_functions_of_the_index_and_json() -> None:
    problem = load().problem(7)
    assert problem == load().problem(7)
    assert (problem.scorer, problem.subject, problem.source) == (
        "reasoning_gym:chain_sum",
        "chain_sum",
        "reasoning_gym",
    )
    assert json.loads(json.dumps(tag_tuples(problem.metadata)), object_hook=untag_tuples) == problem.metadata
    assert load(seed=1).problem(7) != problem


def test_a_chain_sum_is_what_its_question_says() -> None:
    for index in range(20):
        problem = load().problem(index)
        terms = problem.question.rpartition(":")[2].rstrip("= ").replace("- ", "-").replace("+ ", "+").split()
        assert problem.answer == str(sum(map(int, terms)))


def test_the_tasks_own_scorer_knows_the_gold_of_the_stored_problem() -> None:
    from reasoning_gym.factory import get_score_answer_fn

    for task in ("countdown", "sudoku", "spell_backward"):
        problem = load(task, size=2).problem(1)
        entry = {"question": problem.question, "answer": problem.answer, "metadata": dict(problem.metadata)}
        assert get_score_answer_fn(task)(problem.answer, entry) == 1.0
        assert get_score_answer_fn(task)("certainly not", entry) < 1.0


def test_splits_and_seeds_do_not_overlap() -> None:
    asked = [{load(split=s, seed=n).problem(i).question for i in range(50)} for s in ("train", "test") for n in (0, 1)]
    assert len(set.union(*asked)) == sum(map(len, asked))


def test_options_and_limit() -> None:
    problems = load(options={"min_terms": 2, "max_terms": 2}, limit=3)
    assert problems.size == 3
    assert all(problems.problem(i).metadata["num_terms"] == 2 for i in range(3))


def test_a_misspelt_task_names_its_neighbours() -> None:
    with pytest.raises(UserError, match=r"dataset\.task=chain_sun: .*Did you mean chain_sum"):
        load("chain_sun")


def test_wrong_options_and_sizes() -> None:
    with pytest.raises(UserError, match=r"dataset\.options"):
        load(options={"no_such": 1})
    with pytest.raises(UserError, match=r"dataset\.options"):
        load(options={"min_terms": 5, "max_terms": 2})
    with pytest.raises(UserError, match=r"dataset\.size=0"):
        load(size=0)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["rearc", pytest.param("arc_agi", marks=pytest.mark.slow)])
def test_tuples_survive_to_where_answers_are_judged(task: str) -> None:
    """These two scorers compare grids that are tuples of tuples."""
    from tvo_cli.reward import Grader

    problem = load(task, size=2).problem(1)
    wrong = problem.answer.replace(problem.answer[0], str((int(problem.answer[0]) + 1) % 10))
    with Grader({"workers": 1, "deadline": 60.0}) as grader:
        verdicts = grader.grade([rf"\boxed{{{said}}}" for said in (problem.answer, wrong)], [problem] * 2, [True] * 2)
    assert [(verdict.correct, verdict.failed) for verdict in verdicts] == [(True, False), (False, False)]


def test_a_task_whose_gold_does_not_survive_storage_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "tvo_cli.data.reasoning_gym_tasks._metadata_as_stored", lambda metadata: json.loads(json.dumps(metadata))
    )
    with pytest.raises(UserError, match="does not know its own gold"):
        load("rearc")


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(UserError, match=r"pip install -e '.\[reasoning-gym\]'"):
        load()
