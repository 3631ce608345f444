"""`tvo grade` from outside: rows in, rows out, and what becomes of malformed input."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from tests.cli.grading import GOLD, Grade, row
from tvo_cli.cli.main import main


def test_rows_gain_three_fields_and_keep_theirs_in_order(grade: Grade) -> None:
    given = [row(rf"\boxed{{{i}}}", id=f"q{i}", note={"é": [1, None, 2.5]}, correct="old") for i in (4, 5, 6)]
    done = grade(given)
    assert done.code == 0
    assert [r["correct"] for r in done.rows] == [False, True, False]
    assert [(r["id"], r["extracted"], r["note"]) for r in done.rows] == [
        (f"q{i}", str(i), {"é": [1, None, 2.5]}) for i in (4, 5, 6)
    ]
    assert [r["reason"] for r in done.rows] == ["different", "equal", "different"]
    assert list(done.rows[0]) == ["gold", "prediction", "id", "note", "correct", "extracted", "reason"]
    assert "3 rows, 1 right (33.33%)" in done.said and "different 2, equal 1" in done.said
    assert "the grader failed on 0 rows" in done.said


@pytest.mark.slow
def test_its_own_output_is_graded_to_the_same(grade: Grade) -> None:
    first = grade([row(r"\boxed{5}"), row(r"\boxed{\sqrt{12}}", GOLD), row("5")])
    assert grade(first.out.encode()).rows == first.rows


@pytest.mark.parametrize("words", [(), ("--profile", "math")])
def test_a_prediction_without_a_box_is_no_answer(grade: Grade, words: tuple[str, ...]) -> None:
    assert [(r["correct"], r["reason"]) for r in grade([row("5"), row(None), row("")], *words).rows] == [
        (False, "no answer")
    ] * 3


@pytest.mark.parametrize(
    ("words", "right"),
    [
        (("--bare",), [True, True, False, True]),
        (("--unboxed", "whole"), [True, True, False, True]),
        (("--unboxed", "stated"), [False, False, True, True]),
    ],
)
def test_lenient_ways(grade: Grade, words: tuple[str, ...], right: list[bool]) -> None:
    done = grade([row("5"), row(5), row("The answer is 5."), row(r"no, \boxed{5}")], *words)
    assert [r["correct"] for r in done.rows] == right


@pytest.mark.parametrize(
    ("gold", "prediction", "profile"),
    [
        (5, "5", "math"),
        (5.0, "5", "math"),
        (0.1, r"\frac{1}{10}", "math"),
        (1e-7, "0.0000001", "math"),
        (1e22, "1" + "0" * 22, "math"),
        (-3, "-3", "math"),
        ("033", "33", "aime"),
        (33, "033", "aime"),
        (33.0, "33", "aime"),
    ],
)
def test_golds_that_are_numbers(grade: Grade, gold: object, prediction: str, profile: str) -> None:
    done = grade([row(rf"\boxed{{{prediction}}}", gold)], "--profile", profile)
    assert done.rows[0]["correct"] and done.rows[0]["gold"] == gold


EXACT = [
    (b'{"gold": true, "prediction": "\\\\boxed{\\\\text{True}}"}', True),
    (b'{"gold": ["1,024"], "prediction": "\\\\boxed{1024}"}', True),
    (b'{"gold": [2, "$1$"], "prediction": "\\\\boxed{1, 2}"}', True),
    (b'{"gold": [1, 2], "prediction": "\\\\boxed{1}"}', False),
    (b'{"gold": 1e-5, "prediction": "\\\\boxed{0.00001}"}', True),
    (b'{"gold": 0.10, "prediction": "\\\\boxed{0.1}"}', True),
    (b'{"gold": "Adding, $x = 2+3 = \\\\boxed{5}.$", "prediction": "\\\\boxed{5}"}', True),
    (b'{"gold": "She has 3*4=12.\\n#### 1,200", "prediction": "\\\\boxed{1200}"}', True),
    (b'{"gold": ' + b"7" * 999 + b', "prediction": "\\\\boxed{' + b"7" * 999 + b'}"}', True),
]


@pytest.mark.parametrize(("line", "right"), EXACT)
def test_golds_of_every_type_are_read_and_written_back_as_they_stood(grade: Grade, line: bytes, right: bool) -> None:
    done = grade(line + b"\n")
    assert done.code == 0 and f'"correct": {str(right).lower()},' in done.out
    assert done.out.startswith(line.decode()[:-1])


def test_a_list_of_several_answers_is_said(grade: Grade) -> None:
    assert (
        '2 golds are lists of several answers; all of them must be given, in any order ("1, 2")'
        in grade([row(r"\boxed{1, 2}", [2, 1]), row("", ["x", "y"]), row("", ["z"])]).said
    )


def test_a_last_cell_that_may_be_torn_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rows.csv").write_text("prediction,gold\n5,5\n6,1")
    assert main(["grade", str(tmp_path / "rows.csv")]) == 0
    assert "the last line has no line end: if the file was cut off, so is its gold '1'" in capsys.readouterr().err


def test_a_number_that_is_none_is_written_as_null(grade: Grade) -> None:
    done = grade(b'{"gold": 1, "prediction": NaN, "loss": Infinity}\n')
    assert (done.rows[0]["prediction"], done.rows[0]["loss"], done.rows[0]["reason"]) == (None, None, "no answer")


def test_an_integer_that_no_reader_of_json_takes_is_written_as_a_text(grade: Grade) -> None:
    many = b"7" * 5000
    given = b'{"gold": %s, "n": [%s], "prediction": "\\\\boxed{7}"}\n' % (many, many)
    assert grade(given).rows[0]["n"] == [many.decode()]


def test_the_gold_is_found_by_its_path(grade: Grade) -> None:
    given = [{"reward_model": {"ground_truth": "5"}, "out": [{"text": r"\boxed{5}"}]}]
    assert grade(given, "--gold", "reward_model.ground_truth", "--prediction", "out.0.text").rows[0]["correct"]


def test_fields_by_other_names_and_the_question(grade: Grade) -> None:
    given = [{"answer": GOLD, "completion": r"\boxed{\sqrt{12}}", "question": r"Simplify $\sqrt{12}$"}]
    done = grade(given, "--gold", "answer", "--prediction", "completion")
    assert (done.rows[0]["correct"], done.rows[0]["reason"]) == (False, "restates the question")


def test_marks_line_ends_and_blank_lines_are_no_errors(grade: Grade) -> None:
    lines = [
        json.dumps(row(r"\boxed{5}", id="é\u2028\x85"), ensure_ascii=False).encode(),
        b"",
        b"  ",
        b'{"gold": 1, "prediction": "\x00\\u0000 \\\\boxed{1}"}',
    ]
    done = grade(b"\xef\xbb\xbf" + b"\r\n".join(lines))
    assert done.code == 0 and [r["correct"] for r in done.rows] == [True, True]
    assert done.rows[0]["id"] == "é\u2028\x85"


MALFORMED = [
    (b'{"gold": 1, "prediction": "2"', 2, "the last line is cut off"),
    (b'{"gold": 1, "prediction": "2"\n', 2, "is not JSON"),
    (b"[1, 2]\n", 2, "not an object"),
    (b'{"prediction": "2"}\n', 2, "no field 'gold' but prediction"),
    (b'{"gold": 1, "completion": "2"}\n', 2, "no field 'prediction' but gold, completion"),
    (b'{"gold": 1, "gold": 2, "prediction": "2"}\n', 2, "'gold' stands twice"),
    (b'{"gold": null, "prediction": "2"}\n', 2, "gold is null"),
    (b'{"gold": "", "prediction": "2"}\n', 2, "(empty)"),
    (b'{"gold": {"value": 1}, "prediction": "2"}\n', 2, "has an object for an answer (with value)"),
    (b'{"gold": [[1, 2], [3]], "prediction": "2"}\n', 2, "has a list in the list that is its answer"),
    (b'{"gold": [], "prediction": "2"}\n', 2, "(empty)"),
    (b'{"gold": Infinity, "prediction": "2"}\n', 2, "an infinite number"),
    (b'{"gold": "a \\ud83d", "prediction": "2"}\n', 2, "half a character (\\ud83d"),
    (b'{"gold": 1, "prediction": "\\boxed{1}"}\n', 2, "In JSON a backslash is written twice: \\\\boxed"),
    (b'{"gold": NaN, "prediction": "2"}\n', 2, "gold is nan"),
    (b'{"gold": 1, "prediction": ["2", "3"]}\n', 2, "prediction is list"),
    (b'\n\n{"gold": 1, "prediction": {}}\n', 4, "prediction is dict"),
    (b'{"gold": 1, "prediction": "\xff"}\n', 2, "is not UTF-8"),
    (b"[" * 100_000 + b"\n", 2, "nested too deep"),
    (b'{"gold": 1, "prediction": ' + b"1" * 5000 + b"\n", 2, "is not JSON"),
]


@pytest.mark.parametrize(("bad", "line", "said"), MALFORMED)
def test_malformed_input_is_told_by_line_and_leaves_nothing(
    grade: Grade, tmp_path: Path, bad: bytes, line: int, said: str
) -> None:
    out = tmp_path / "graded.jsonl"
    good = json.dumps(row(r"\boxed{5}")).encode() + b"\n"
    done = grade(good + bad, "--out", str(out))
    assert done.code == 2 and f"line={line}:" in done.said and said in done.said
    assert not done.out and [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_a_bad_line_of_a_file_is_told_before_any_row_is_printed(grade: Grade) -> None:
    done = grade(json.dumps(row(r"\boxed{5}")).encode() * 1 + b"\n" + b"{}\n")
    assert done.code == 2 and done.out == ""


def test_a_gold_that_aime_cannot_judge_is_malformed(grade: Grade) -> None:
    done = grade([row(r"\boxed{5}"), row(r"\boxed{5}", "x+1")], "--profile", "aime")
    assert done.code == 2 and "line=2: its gold (x+1)" in done.said


def test_an_older_output_stays_when_the_new_one_fails(grade: Grade, tmp_path: Path) -> None:
    out = tmp_path / "graded.jsonl"
    assert grade([row(r"\boxed{5}")], "--out", str(out)).code == 0
    before = out.read_bytes()
    assert json.loads(before)["correct"] is True
    assert grade(b"{}\n", "--out", str(out)).code == 2
    assert out.read_bytes() == before and not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.jsonl"], "FILE=nowhere.jsonl: cannot be opened"),
        (["."], "is a folder"),
        (["-", "--out", "no/such/folder/x"], "--out=no/such/folder/x: cannot be opened"),
        (["-", "--profile", "algebra"], "algebra"),
        (["-", "--deadline", "0"], "reward.deadline=0"),
    ],
)
def test_wrong_words(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["grade", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("rows", [b"", b"\n", b"[]"])
@pytest.mark.parametrize("words", [[], ["--skip-bad"], ["--format", "table"]])
def test_a_file_without_rows_is_refused_in_one_line(grade: Grade, rows: bytes, words: list[str]) -> None:
    done = grade(rows, *words)
    assert (done.code, done.out) == (2, "") and "there are no rows to grade" in done.said
    assert len(done.said.splitlines()) == 1


def test_a_file_whose_rows_are_all_left_out_is_read_to_its_end(grade: Grade) -> None:
    done = grade(b"no row\n", "--skip-bad")
    assert (done.code, done.rows) == (0, []) and "left out: " in done.said and "0 rows, 0 right" in done.said


def test_the_table(grade: Grade) -> None:
    long = r"\boxed{" + "x" * 100 + "\n\x1b[31m}"
    done = grade([row(r"\boxed{5}", id="first"), row(long)], "--format", "table")
    head, first, second = done.out.splitlines()
    assert head.split() == ["id", "verdict", "extracted", "reason"]
    assert first.split() == ["first", "right", "5", "equal"]
    assert second.startswith("line 2  ") and "…" in second and "\x1b" not in second


@pytest.mark.slow
def test_the_audit_says_rate_and_rows(grade: Grade) -> None:
    done = grade([row(r"\boxed{5}", id="a"), row("so it is 5", id="b"), row(r"\boxed{6}", id="c")], "--audit")
    assert [(r["correct"], r["second"]) for r in done.rows] == [(True, True), (False, True), (False, False)]
    assert "the second grader differs on 1 of 3 (33.33%); not compared: 0" in done.said
    assert "  b: gold '5', extracted '–': wrong (no answer), second right" in done.said


def test_verdicts_go_through_a_pipe_and_to_the_target_of_a_link(grade: Grade, tmp_path: Path) -> None:
    given = [row(r"\boxed{5}")]
    expected = grade(given).out
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    assert grade(given, "--out", str(pipe)).code == 0 and pipe.is_fifo()
    reader.join(10)
    (tmp_path / "link").symlink_to("target")
    assert grade(given, "--out", str(tmp_path / "link")).code == 0 and (tmp_path / "link").is_symlink()
    assert [*read, (tmp_path / "target").read_text()] == [expected] * 2
