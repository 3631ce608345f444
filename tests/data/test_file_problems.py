"""Files of a user: what is read, and what is said about what cannot be."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tvo_cli import data
from tvo_cli.errors import UserError
from tvo_cli.types import Problem

if TYPE_CHECKING:
    from tvo_cli.data.problems import Problems


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def writer(*lines: object, name: str = "mine.jsonl") -> Path:
        path = tmp_path / name
        text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        path.write_text(text, encoding="utf-8")
        return path

    return writer


def load(path: Path | None, split: str = "train", **more: Any) -> Problems:
    node = {"kind": "jsonl", "name": "mine", "path": path and str(path), "holdout": 0, **more}
    return data.load(node, split=split, seed=0)


def everything(problems: Problems) -> list[Problem]:
    assert problems.size is not None
    return [problems.problem(index) for index in range(problems.size)]


def fault(path: Path | None, **more: Any) -> str:
    with pytest.raises(UserError) as caught:
        load(path, **more)
    return str(caught.value)


def many(count: int) -> list[dict[str, Any]]:
    return [{"question": f"q{number}", "answer": number} for number in range(count)]


def test_columns_are_guessed_and_the_rest_is_passed_through(write: Callable[..., Path]) -> None:
    path = write(
        {"id": "a", "problem": " 1+1? ", "answer": 2, "level": "Level 3", "subject": "Sums"},
        "",
        {"Prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}], "gold": "033"},
        {"question": "q3", "solution": r"so $\boxed{\frac12}$"},
        {"question": "q4", "answer": r"work … \boxed{7}"},
    )
    first, second, third, fourth = everything(load(path))
    assert (first.id, first.question, first.answer) == ("a", "1+1?", "2")
    assert (first.level, first.subject, first.source) == ("3", "Sums", "mine")
    assert (second.id, second.question, second.answer) == ("mine/3", "q", "033")
    assert (third.answer, fourth.answer) == (r"\frac12", "7")


def test_columns_of_ones_own_are_kept_as_values_where_they_are_small(write: Callable[..., Path]) -> None:
    row = {
        "question": "q",
        "answer": 5,
        "solution": "w",
        "difficulty": 7,
        "p": 0.25,
        "tags": [1, {"a": 2.5}],
        "x": None,
    }
    (problem,) = everything(load(write(row | {"long": "y" * 4001, "wide": ["y" * 4000]})))
    kept = {"difficulty": 7, "p": 0.25, "tags": [1, {"a": 2.5}], "x": None, "solution": "w"}
    assert dict(problem.metadata) == kept and problem["tags"] == kept["tags"]
    assert [type(problem[name]) for name in ("difficulty", "p")] == [int, float]


def test_a_column_that_became_a_part_of_the_problem_keeps_its_own_name(write: Callable[..., Path]) -> None:
    path = write({"frage": "q", "gold": 5, "schwer?": 3, "about": {"kind": "sums"}, "id": 7})
    columns = {"question": "frage", "level": "schwer?", "subject": "about.kind"}
    (problem,) = everything(load(path, columns=columns))
    assert (problem.level, problem.subject, problem["id"]) == ("3", "sums", "7")
    own = {"frage": "q", "gold": 5, "schwer?": 3, "about": {"kind": "sums"}, "about.kind": "sums"}
    assert dict(problem.metadata) == own and type(problem["schwer?"]) is int


@pytest.mark.parametrize("column", ["messages", "Messages", "conversations", "conversation"])
def test_a_column_of_conversations_is_guessed_and_its_answer_is_not_shown(
    write: Callable[..., Path], column: str
) -> None:
    asked = [{"role": "system", "content": "s"}, {"role": "user", "content": "1+1?"}]
    told = {"role": "assistant", "content": r"It is \boxed{2}."}
    path = write(
        {column: [*asked, told], "answer": 2},
        {column: asked, "answer": 2},
        {column: [*asked, told, {"role": "user", "content": "And 2+2?"}, told], "solution": r"\boxed{4}"},
        {column: [*asked, told], "prompt": "q", "answer": 3},
    )
    first, second, third, fourth = everything(load(path))
    assert first.asked == second.asked and first.question == "1+1?" and first.turns == (("system", "s"),)
    assert (third.question, third.answer) == ("And 2+2?", "4") and third.turns[-1] == ("assistant", told["content"])
    assert fourth.question == "q", "what is named a prompt is one"
    assert load(write({column: [*asked, told]}, name="boxed.jsonl")).problem(0).answer == "2", "as of a solution"
    bare = {"role": "assistant", "content": "It is 2."}
    assert "has no answer" in fault(write({column: [*asked, bare]}, name="bare.jsonl"))
    assert "has no answer" in fault(write({column: [*asked, told, asked[-1]]}, name="asks.jsonl"))
    assert "ends with the assistant's turn" in fault(write({"prompt": [*asked, told], "answer": 2}, name="p.jsonl"))
    named = write({"chat": {"messages": [*asked, told]}, "answer": 2}, name="deep.jsonl")
    assert load(named, columns={"question": "chat.messages"}).problem(0).question == "1+1?"


def test_named_columns_and_paths_into_the_row(write: Callable[..., Path]) -> None:
    path = write({"text": "q", "question": "no", "reward": {"truth": ["5"]}})
    (problem,) = everything(load(path, columns={"question": "text", "answer": "reward.truth.0"}))
    assert (problem.question, problem.answer) == ("q", "5")


def test_a_column_may_have_a_dot_in_its_name(write: Callable[..., Path]) -> None:
    path = write({"question": "q", "a.b": "1", "a": {"b": "2"}})
    assert load(path, columns={"answer": "a.b"}).problem(0).answer == "1"


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "bom.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"question": "q", "answer": "1"}\r\n')
    assert load(path).size == 1


def test_a_row_without_an_answer_names_its_line_and_the_way_out(write: Callable[..., Path]) -> None:
    path = write(*many(16), {"question": "?", "answer": None, "solution": r"\boxed{}"})
    said = fault(path)
    assert said.startswith(f"dataset.path={path}: line 17 has no answer")
    assert "dataset.columns.answer=NAME" in said
    assert "dataset.unanswered=skip" in said
    assert load(path, unanswered="skip").size == 16


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"question": "q", ', "line 2 is not JSON"),
        ("[1, 2]", "line 2 is a list, not an object"),
        ('{"text": "q", "answer": 1}', "line 2 has no column question, problem, prompt (it has text, answer)"),
        ('{"question": " ", "answer": 1}', "line 2 has an empty question"),
        ('{"question": "q", "answer": 1, "id": "x"}', "line 2 has the id 'x' of line 1"),
    ],
)
def test_a_bad_row_is_named_by_its_line(write: Callable[..., Path], line: str, said: str) -> None:
    assert said in fault(write({"id": "x", "question": "q", "answer": "1"}, line))


def test_a_line_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.jsonl"
    path.write_bytes(b'{"question": "q", "answer": "1"}\n{"question": "caf\xe9", "answer": "1"}\n')
    assert "line 2 is not UTF-8" in fault(path)


def test_files_that_are_not_there(write: Callable[..., Path], tmp_path: Path) -> None:
    assert "no such file" in fault(tmp_path / "nothing.jsonl")
    assert "is a folder" in fault(tmp_path)
    assert "no file is named" in fault(None)
    assert "has no problem in it" in fault(write("", name="empty.jsonl"))


def test_wrong_settings_name_their_key(write: Callable[..., Path]) -> None:
    path = write(*many(5))
    assert "dataset.columns.anwser=a" in fault(path, columns={"anwser": "a"})
    assert "dataset.unanswered=drop" in fault(path, unanswered="drop")
    assert "dataset.holdout=5: cannot be held out of 5 rows" in fault(path, holdout=5)
    assert "dataset.limit=0" in fault(path, limit=0)
    assert "line 1 has no column 'prose' (it has question, answer)" in fault(path, columns={"question": "prose"})


def test_the_integer_scorer_takes_integers_only(write: Callable[..., Path]) -> None:
    assert load(write({"question": "q", "answer": "033"}), scorer="integer").problem(0).answer == "33"
    assert "line 1 has the answer '1/2', which is no integer" in fault(
        write({"question": "q", "answer": "1/2"}), scorer="integer"
    )


def test_levels_and_subjects_filter(write: Callable[..., Path]) -> None:
    rows = [dict(row, level=n % 3, subject="AB"[n % 2]) for n, row in enumerate(many(12))]
    path = write(*rows)
    assert {problem.level for problem in everything(load(path, levels=[1, "2"]))} == {"1", "2"}
    assert [problem.question for problem in everything(load(path, levels=1, subjects=["A"]))] == ["q4", "q10"]
    assert "dataset.levels=['7']: no problem has level '7'. There are: '0', '1', '2'." in fault(path, levels=[7])


def test_limit_takes_the_first(write: Callable[..., Path]) -> None:
    assert [problem.question for problem in everything(load(write(*many(9)), limit=3))] == ["q0", "q1", "q2"]


def test_the_holdout_divides_the_rows_and_keeps_equal_questions_together(write: Callable[..., Path]) -> None:
    twice = [dict(row, answer="again") for row in many(40)]
    path = write(*many(40), *twice)
    train, test = (everything(load(path, split, holdout=10)) for split in ("train", "test"))
    assert (len(train), len(test)) == (70, 10)
    assert {p.question for p in train}.isdisjoint(p.question for p in test)
    assert test == everything(load(path, "test", holdout=10))


def test_no_filter_trains_on_a_held_out_row(write: Callable[..., Path]) -> None:
    path = write(*[dict(row, level=n % 2) for n, row in enumerate(many(40))])
    held_out = {problem.id for problem in everything(load(path, "test", holdout=10))}
    for level in (0, 1):
        trained_on = {problem.id for problem in everything(load(path, holdout=10, levels=[level], limit=100))}
        assert trained_on.isdisjoint(held_out)


def test_by_itself_a_tenth_is_held_out(write: Callable[..., Path]) -> None:
    assert load(write(*many(50)), "test", holdout=None).size == 5
    assert load(write(*many(3000)), "test", holdout=None).size == 200


def test_a_test_path_holds_nothing_out(write: Callable[..., Path]) -> None:
    path, test_path = write(*many(20)), write({"question": "t", "answer": "1"}, name="test.jsonl")
    more: dict[str, Any] = {"test_path": str(test_path), "holdout": None}
    assert load(path, **more).size == 20
    assert [problem.id for problem in everything(load(path, "test", **more))] == ["test/1"]
    assert load(None, "test", **more).size == 1


def test_without_a_holdout_there_is_no_test_split(write: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match=r"test split.*dataset\.holdout=N"):
        load(write(*many(20)), "test", holdout=0)


@pytest.mark.slow
@pytest.mark.shared
def test_published_copies_are_read_whole(shared: Path) -> None:
    assert load(shared / "math500.jsonl").size == 500
    aime = load(shared / "aime24.jsonl", scorer="integer")
    assert aime.size == 30
    assert all(0 <= int(problem.answer) <= 999 for problem in everything(aime))
    assert "has no answer" in fault(shared / "math_train.jsonl")
    assert load(shared / "math_train.jsonl", unanswered="skip").size == 7498


@pytest.mark.slow
@pytest.mark.shared
def test_the_last_box_agrees_with_stated_answers(shared: Path, write: Callable[..., Path]) -> None:
    """MATH's copies state answers that were extracted by someone else."""
    stated = everything(load(shared / "math_test.jsonl"))
    rows = map(json.loads, (shared / "math_test.jsonl").read_text(encoding="utf-8").splitlines())
    without = ({name: value for name, value in row.items() if name != "answer"} for row in rows)
    boxed = everything(load(write(*without, name="math_test.jsonl")))
    assert len(stated) == len(boxed) == 5000
    assert [a.id for a, b in zip(stated, boxed, strict=True) if a.answer != b.answer] == []


def test_numbers_lists_booleans_and_objects_in_the_answer_column(
    write: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    lines = [
        f'{{"question": "q{i}", "answer": {a}}}' for i, a in enumerate(("1e-5", "0.10", "true", '["10"]', '[1, "2"]'))
    ]
    found = everything(load(write(*lines)))
    assert [problem.answer for problem in found] == ["0.00001", "0.10", "true", "10", "1, 2"]
    assert '1 golds are lists of several answers; all of them must be given, in any order ("1, 2")' in caplog.text
    assert load(write('{"question": "q", "answer": ' + "7" * 5000 + "}")).problem(0).answer == "7" * 5000


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"question": "q", "answer": {"value": 5}}', "line 2 has an object for an answer (with value). Name the part "
         "that is the answer: dataset.columns.answer=answer.PART"),
        ('{"question": "q", "answer": [[1], [2]]}', "line 2 has a list in the list that is its answer"),
        ('{"question": "q", "answer": Infinity}', "line 2 has an infinite number"),
        ('{"question": "cut \\ud83d here?", "answer": 1}', "line 2 has half a character (\\ud83d"),
        ('{"question": "q", "answer": 1, "id": "\\ud83d"}', "line 2 has half a character"),
        ('{"question": "q", "answer": "\\boxed{5}"}', "In JSON a backslash is written twice: \\\\boxed"),
        ('{"question": "q", "answer": 1, "answer": 2}', "line 2 is not JSON (the key 'answer' stands twice)"),
        ('{"prompt": [{"role": "user", "content": [{"type": "image"}]}], "answer": 1}', "part of type 'image'"),
        ('{"prompt": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "5"}], "answer": 1}',
         "dataset.columns.question=prompt.0.content"),
    ],
)  # fmt: skip
def test_what_no_row_may_hold_is_said_by_line(write: Callable[..., Path], row: str, said: str) -> None:
    assert said in fault(write({"question": "q", "answer": "1"}, row))


def test_conversations_keep_all_turns_and_count_as_different_problems(write: Callable[..., Path]) -> None:
    def asked(system: str, *more: dict[str, str]) -> dict[str, Any]:
        turns = [
            {"role": "system", "content": system},
            *more,
            {"role": "user", "content": [{"type": "text", "text": "q"}]},
        ]
        return {"prompt": turns, "reward_model": {"ground_truth": "5"}}

    few, many = asked("s"), asked("s", {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"})
    first, second = everything(load(write(few, many)))
    assert (first.question, first.turns, first.answer) == ("q", (("system", "s"),), "5")
    assert second.turns == (("system", "s"), ("user", "a"), ("assistant", "b"))
    train, test = (
        everything(load(write(*[asked(str(i)) for i in range(20)]), split, holdout=5)) for split in ("train", "test")
    )
    assert (len(train), len(test)) == (15, 5)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("mine.json", json.dumps([{"question": "q", "answer": 1}]).encode()),
        ("mine.csv", b"question,answer\nq,1\n"),
        ("mine.jsonl.gz", gzip.compress(b'{"question": "q", "answer": 1}\n', mtime=0)),
        ("mine.jsonl", '{"question": "q", "answer": 1}\n'.encode("utf-16")),
    ],
)
def test_other_formats(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    found = load(tmp_path / name).problem(0)
    assert (found.question, found.answer, found.id.split("/")[0]) == ("q", "1", "mine")


def test_an_answer_that_may_be_torn_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "mine.csv").write_text("question,answer\nq,1234\nr,12")
    load(tmp_path / "mine.csv")
    assert f"{tmp_path / 'mine.csv'}: the last line has no line end" in caplog.text and "answer '12'" in caplog.text


def test_a_file_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.zip"
    path.write_bytes(b"PK\x03\x04rest")
    assert fault(path) == f"dataset.path={path}: is compressed by zip. Unpack it, or compress it by gzip."


@pytest.mark.parametrize(
    ("key", "name", "said"),
    [
        ("answer", "wert", "no row has this column (there are: question, solution, lvl, 'der Weg')"),
        ("level", "levl", "Nearest: dataset.columns.level=lvl"),
        ("id", "numr", "Name one that is there, or leave dataset.columns.id out."),
    ],
)
def test_a_named_column_that_no_row_has_is_refused(write: Callable[..., Path], key: str, name: str, said: str) -> None:
    row = {"question": "1+1?", "solution": r"\boxed{2}", "lvl": 1}
    path = write(row, {**row, "der Weg": "2"})
    found = fault(path, columns={key: name})
    assert f"dataset.columns.{key}={name}: no row has this column" in found and said in found
    assert load(path, columns={"answer": "der Weg"}).size == 2  # some rows have it


@pytest.mark.parametrize("key", ["answer", "solution"])
def test_a_row_that_cannot_be_read_for_a_mistyped_column_says_so(write: Callable[..., Path], key: str) -> None:
    found = fault(write({"question": "1+1?", "der Weg": "2"}), columns={key: "Weg"})
    assert "line 1 has no column 'Weg' (it has question, 'der Weg')" in found
    assert f"Nearest: 'dataset.columns.{key}=der Weg'" in found


@pytest.mark.parametrize("content", [b"\x7fELF\x01 rest", b"\x00\x01\xff\xfe{\n", b"\x01\x02"])
def test_a_binary_file_is_said_to_be_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_bytes(content)
    found = fault(path)
    assert "line 1 is binary. Every line must be one JSON object" in found and "head -n" not in found


def test_a_first_line_that_is_cut_off_is_not_advised_away(write: Callable[..., Path]) -> None:
    path = write()
    path.write_text('{"question": "1+1?", "ans', encoding="utf-8")
    assert "Every line must be one JSON object" in fault(path) and "head -n" not in fault(path)


def test_a_test_file_may_lack_a_named_column_that_the_training_file_has(
    write: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    train = write({"question": "1+1?", "answer": "2", "stufe": 1})
    test = write({"question": "1+2?", "answer": "3"}, name="test.jsonl")
    assert load(train, "test", test_path=str(test), columns={"level": "stufe"}).size == 1
    assert "has no column 'stufe' (dataset.columns.level), which dataset.path has" in caplog.text
    with pytest.raises(UserError, match="no row has this column"):
        load(train, "test", test_path=str(test), columns={"level": "stuf"})


def test_a_column_without_a_name_is_not_taken_for_a_guess(
    write: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    """The index that pandas' to_csv writes by itself; in JSON the key "" is a column as any other."""
    table = write(",question,answer", "0,q,1", "1,r,2", name="frame.csv")
    assert [(one.question, one.answer) for one in everything(load(table))] == [("q", "1"), ("r", "2")]
    assert caplog.text.count("a column without a name in the first line is not read (line 2 has '0' there)") == 1
    (problem,) = everything(load(write({"": 0, "question": "q", "answer": 1})))
    assert (problem.question, problem.metadata) == ("q", {"": 0})


def test_a_level_that_only_one_split_has_is_there(write: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    """Of 40 rows the automatic 4 are held out, and no one of level 0 is among them."""
    path = write(*({"question": f"q{n}", "answer": n, "level": n % 3} for n in range(40)))
    assert {one.level for one in everything(load(path, split="test", holdout=None))} == {"1", "2"}
    assert load(path, holdout=None, levels=[0]).size == 14
    with pytest.raises(UserError) as caught:
        load(path, split="test", holdout=None, levels=[0])
    said = str(caught.value)
    assert said.startswith("dataset.levels=['0']: leaves none of the 4 held-out rows. Take dataset.holdout=")
    least = int(said.split("holdout=")[1].split()[0])
    assert everything(load(path, split="test", holdout=least, levels=[0]))
    assert load(path, split="test", holdout=None, levels=[0, 1]).size
    assert "of level '0' no wanted row is held out" in caplog.text
    with pytest.raises(UserError, match="leaves none of the"):
        load(path, split="test", holdout=least - 1, levels=[0])


def test_a_level_that_is_held_out_whole_says_how_many_may_be(write: Callable[..., Path]) -> None:
    path = write(*({"question": f"q{n}", "answer": n, "level": n % 3} for n in range(9)))
    with pytest.raises(UserError) as caught:
        load(path, holdout=8, levels=[0])
    most = int(str(caught.value).split("Take dataset.holdout=")[1].split()[0])
    assert everything(load(path, holdout=most, levels=[0]))
    with pytest.raises(UserError, match="at most"):
        load(path, holdout=most + 1, levels=[0])


def test_a_files_name_that_is_no_utf_8_is_spelled_in_ids(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xfcbung.jsonl"))
    path.write_text('{"question": "q", "answer": 1}\n')
    (problem,) = everything(load(path))
    assert problem.id == "\\xfcbung/1" and problem.id.encode()


@pytest.mark.parametrize("columns", [{}, {"question": "question"}])
def test_a_null_question_is_not_called_a_missing_column(write: Callable[..., Path], columns: dict[str, str]) -> None:
    path = write({"question": "q", "answer": 1}, {"question": None, "answer": 2})
    assert fault(path, columns=columns).endswith(": line 2 has an empty question. Mend or remove the row.")
    assert "line 1 has no column question" in fault(write({"answer": 2}))
