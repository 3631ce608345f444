"""Rows as demonstrations: solutions, completions, conversations, and what is none."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tvo_cli import data
from tvo_cli.data.demonstration_sources import load_demonstrations
from tvo_cli.data.demonstrations import (
    Demonstration,
    DemonstrationReading,
    learned_replies,
    problem_of_reply,
    with_conversation,
)
from tvo_cli.data.hub_problems import problems_of_hub_rows
from tvo_cli.data.row_to_problem import RowReading, RowWithoutAnswer, UnconvertibleRow, row_to_problem
from tvo_cli.errors import UserError
from tvo_cli.types import Problem

U, A, S = "user", "assistant", "system"


def read(row: dict[str, Any], columns: dict[str, str] | None = None, **how: Any) -> Demonstration:
    return DemonstrationReading(**how)(row, RowReading("mine", columns or {}), "mine/1")


def message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


ONE = ((U, "1+1?"), (A, "It is \\boxed{2}"))
CHAT = [message(U, "1+1?"), message(A, "It is \\boxed{2}")]
LONG = ((S, "be brief"), (U, "1+1?"), (A, "2"), (U, "and 1?"), (A, "\\boxed{3}"))


@pytest.mark.parametrize(
    ("row", "conversation"),
    [
        ({"question": "1+1?", "solution": "It is \\boxed{2}"}, ONE),
        ({"problem": "1+1?", "answer": "2", "solution": "It is \\boxed{2}"}, ONE),
        ({"prompt": "1+1?", "completion": "It is \\boxed{2}"}, ONE),
        ({"Prompt": "1+1?", "Response": "It is \\boxed{2}"}, ONE),
        ({"prompt": CHAT[:1], "completion": CHAT[1:]}, ONE),
        ({"": 0, "question": "1+1?", "answer": "1+1 is 2\n#### 2"}, ((U, "1+1?"), (A, "1+1 is 2\n#### 2"))),
        ({"messages": CHAT}, ONE),
        ({"conversations": [{"from": "human", "value": "1+1?"}, {"from": "gpt", "value": "It is \\boxed{2}"}]}, ONE),
        ({"messages": CHAT[:1], "completion": "It is \\boxed{2}"}, ONE),
        ({"messages": [message(role, text) for role, text in LONG]}, LONG),
        ({"question": "1+1?", "answer": "1+1 is 2\n#### 2"}, ((U, "1+1?"), (A, "1+1 is 2\n#### 2"))),
    ],
)
def test_each_form_of_a_row_is_a_conversation(row: dict[str, Any], conversation: tuple[Any, ...]) -> None:
    assert read(row).conversation == conversation


def test_a_named_column_is_the_reply() -> None:
    row = {"text": "1+1?", "worked": "2", "solution": "no"}
    found = read(row, {"question": "text", "solution": "worked"})
    assert found.conversation == ((U, "1+1?"), (A, "2")) and found.answer == ""


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        ({"question": "q", "solution": "so \\boxed{7}"}, "7"),
        ({"question": "q", "solution": "so 7", "answer": "8"}, "8"),
        ({"prompt": "q", "completion": "so \\boxed{7}"}, "7"),
        ({"messages": [message(U, "q"), message(A, "x\n#### 7")]}, "7"),
        ({"prompt": "q", "completion": "so 7"}, ""),
    ],
)
def test_the_answer_is_that_of_its_column_or_of_the_replys_box(row: dict[str, Any], answer: str) -> None:
    assert read(row).answer == answer


def test_a_demonstration_asks_the_same_problem_as_reinforcement_learning() -> None:
    row = {"messages": [message(role, text) for role, text in LONG], "answer": "3", "level": "2"}
    found, problem = read(row), row_to_problem(row, RowReading("mine"), "mine/1")
    assert (found.question, found.turns, found.answer, found.level) == (
        problem.question, problem.turns, problem.answer, problem.level,
    )  # fmt: skip
    assert found.asked == problem.asked


def test_every_reply_to_a_user_is_learned_behind_what_came_before_it() -> None:
    found = read({"messages": [message(role, text) for role, text in ((A, "Hello!"), *LONG[1:])]})
    assert learned_replies(found) == [2, 4]  # an opening that answers nobody is shown, not learned
    assert problem_of_reply(found, 2).turns == ((A, "Hello!"),) and problem_of_reply(found, 2).question == "1+1?"
    assert (
        problem_of_reply(found, 4).turns == ((A, "Hello!"), *LONG[1:3])
        and problem_of_reply(found, 4).question == "and 1?"
    )


@pytest.mark.parametrize(
    ("row", "key", "text"),
    [
        ({"question": "q", "answer": "7"}, "dataset.columns.solution", "nothing to learn"),
        ({"messages": [message(U, "q")]}, "dataset.columns.solution", "nothing to learn"),
        ({"messages": [message(A, "q")]}, "dataset.columns.question", "no user's turn"),
        (
            {"messages": [message(U, "q"), message(A, "a"), message(A, "b")]},
            "dataset.columns.question",
            "after the assistant's",
        ),
        (
            {"messages": [message(U, "q"), message("tool", "a"), message(A, "b")]},
            "dataset.columns.question",
            "after the tool's",
        ),
        ({"prompt": "q", "completion": ""}, "dataset.columns.solution", "neither a solution nor an answer"),
        ({"question": "", "solution": "s"}, "dataset.columns.question", "empty question"),
        ({"text": "q"}, "dataset.columns.question", "has no column question"),
    ],
)
def test_a_row_that_shows_nothing_to_learn_says_so(row: dict[str, Any], key: str, text: str) -> None:
    with pytest.raises(UnconvertibleRow) as caught:
        read(row)
    assert caught.value.key == key and text in caught.value.problem


def test_the_answer_is_put_into_a_box_where_that_is_asked_for() -> None:
    form = "\n\\boxed{{answer}}"
    assert read({"question": "q", "solution": "so 7", "answer": 7}, append_answer=form).conversation[-1][1] == (
        "so 7\n\\boxed{7}"
    )
    assert read({"question": "q", "answer": 7}, append_answer=form).conversation[-1] == (A, "\n\\boxed{7}")
    boxed = {"question": "q", "solution": "\\boxed{7}"}
    assert read(boxed, append_answer=form).conversation == read(boxed).conversation


def test_rows_without_an_answer_are_left_out_where_reinforcement_learning_leaves_them_out() -> None:
    with pytest.raises(RowWithoutAnswer):
        read({"prompt": "q", "completion": "so 7"}, skip_unanswered=True)


def test_the_same_rows_are_held_out_as_in_reinforcement_learning(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    rows = ({"question": f"{n}+1?", "solution": f"\\boxed{{{n + 1}}}"} for n in range(60))
    file.write_text("\n".join(map(json.dumps, rows)))
    node = {"kind": "jsonl", "name": "mine", "path": str(file)}
    for split in ("train", "test"):
        learned, asked = load_demonstrations(node, split=split, seed=0), data.load(node, split=split, seed=0)
        assert [learned.problem(i).id for i in range(learned.size or 0)] == [
            asked.problem(i).id for i in range(asked.size or 0)
        ]
    assert learned.size == 6


def test_rows_of_the_hub_are_read_alike() -> None:
    node = {"kind": "hub", "name": "mine", "columns": {"question": "instruction"}}
    rows = [{"instruction": "1+1?", "output": "It is \\boxed{2}"}]
    (found,) = problems_of_hub_rows(rows, node, "mine/train", DemonstrationReading())
    assert isinstance(found, Demonstration) and found.conversation == ONE and found.id == "mine/train/0"


def test_the_teacher_of_an_embedded_task_gives_demonstrations_and_others_none() -> None:
    node: dict[str, Any] = {"kind": "arithmetic", "name": "arithmetic"}
    found = load_demonstrations(node, split="train", seed=3).problem(5)
    problems: Any = data.load(node, split="train", seed=3)
    assert found == with_conversation(problems.problem(5), problems.teacher_solution(5, 3))
    for other in (
        {"kind": "chain_sums", "name": "chain_sums"},
        {"kind": "mixture", "name": "m", "sources": {"a": node}},
    ):
        with pytest.raises(UserError, match=r"^dataset=(chain_sums: has no worked solutions|m: is a mixture)"):
            load_demonstrations(other, split="train", seed=0)


def test_a_demonstration_is_a_problem_with_its_own_fields() -> None:
    problem = Problem("1", "q", "7", "mine", level="3", turns=((S, "s"),))
    found = with_conversation(problem, "r")
    assert isinstance(found, Problem) and found.conversation == ((S, "s"), (U, "q"), (A, "r"))
    assert problem_of_reply(found, 2) == problem


def test_a_mistyped_column_of_solutions_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"question": "1+1?", "der Weg": "It is 2."}) + "\n", encoding="utf-8")
    node = {"kind": "jsonl", "name": "mine", "path": str(path), "columns": {"solution": "Weg"}}
    with pytest.raises(UserError, match=r"no column 'Weg'.*Nearest: 'dataset\.columns\.solution=der Weg'"):
        load_demonstrations(node, split="train", seed=0)


OWN = r"""
from tvo_cli.types import Problem
def rows(split, seed, *, count=2):
    yield {"id": "a", "question": "1+1?", "solution": "It is \\boxed{2}", "level": 3}
    yield {"messages": [{"role": "user", "content": f"{split} {seed} {count}"}, {"role": "assistant", "content": "r"}]}
def asked(split): return [{"question": "q", "answer": "1"}]
def number(split): return [{"question": "q", "solution": "s"}, 7]
def one_id(split): return [{"id": "a", "question": "q", "solution": "s"}, {"id": "a", "question": "r", "solution": "s"}]
def turns(split): return [{"messages": [{"role": "assistant", "content": "r"}]}]
class Taught:
    name, size, neutral_words = "mine", 4, ()
    def problem(self, index): return Problem(str(index), f"q{index}", "7", "mine")
    def teacher_solution(self, index, seed): return f"s{index} {seed}"
def taught(split): return Taught()
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setattr("tvo_cli.plugins.own_targets._allowed", ["own_rows.py"])
    monkeypatch.setattr("tvo_cli.plugins.plugin_loading._loaded", {})
    (tmp_path / "own_rows.py").write_text(OWN)

    def of(name: str, append_answer: str | None = None) -> Any:
        node = {"kind": "own", "name": "mine", "make": {"_target_": f"own_rows.py:{name}"}}
        return load_demonstrations(node, split="train", seed=5, append_answer=append_answer)

    return of


def test_rows_of_own_code_are_read_as_those_of_a_file(own: Any) -> None:
    found = own("rows")
    first, second = (found.problem(i) for i in range(found.size))
    assert (first.id, first.conversation, first.answer, first.level) == ("a", ONE, "2", "3")
    assert (second.id, second.conversation, second.answer) == ("mine/train/1", ((U, "train 5 2"), (A, "r")), "")
    assert own("asked", append_answer="\\boxed{{answer}}").problem(0).conversation[-1] == (A, "\\boxed{1}")
    taught = own("taught")
    assert taught.size == 4 and taught.problem(3).conversation == ((U, "q3"), (A, "s3 5"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("asked", r"row mine/train/0 has nothing to learn.* A row has a question and one of completion, solution"),
        ("number", r"row mine/train/1 is int, no mapping\. Return mappings"),
        ("turns", r"row mine/train/0 has no user's turn before the last reply"),
        ("one_id", r"row mine/train/1 has the id 'a' of row mine/train/0\."),
    ],
)
def test_a_row_of_own_code_that_shows_nothing_is_named(own: Any, name: str, said: str) -> None:
    with pytest.raises(UserError, match=rf"^dataset\.make=own_rows\.py:{name}: {said}"):
        own(name)
