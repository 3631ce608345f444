"""`tvo grade` from outside: rows in, rows out, and what becomes of malformed, hostile and interrupted input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.processes import are_gone, is_running
from tests.reward.conftest import BOMB
from tvo_cli.cli.main import main
from tvo_cli.reward import rows_to_grade

ROOT = Path(__file__).parents[2]
GOLD = r"2\sqrt{3}"


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    rows: list[dict[str, Any]]
    out: str
    said: str


Grade = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Grade:
    def grade(content: bytes | list[dict[str, Any]], *words: str) -> Done:
        path = tmp_path / "rows.jsonl"
        data = content if isinstance(content, bytes) else "".join(json.dumps(row) + "\n" for row in content).encode()
        path.write_bytes(data)
        code = main(["grade", str(path), *words])
        out, said = capsys.readouterr()
        lines = [json.loads(line) for line in out.split("\n") if line] if "table" not in words else []
        return Done(code, lines, out, said)

    return grade


def row(prediction: object, gold: object = "5", **fields: object) -> dict[str, Any]:
    return {"gold": gold, "prediction": prediction, **fields}


def test_rows_gain_three_fields_and_keep_theirs_in_order(run: Grade) -> None:
    given = [row(rf"\boxed{{{i}}}", id=f"q{i}", note={"é": [1, None, 2.5]}, correct="old") for i in (4, 5, 6)]
    done = run(given)
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
def test_its_own_output_is_graded_to_the_same(run: Grade) -> None:
    first = run([row(r"\boxed{5}"), row(r"\boxed{\sqrt{12}}", GOLD), row("5")])
    assert run(first.out.encode()).rows == first.rows


@pytest.mark.parametrize("words", [(), ("--profile", "math")])
def test_a_prediction_without_a_box_is_no_answer(run: Grade, words: tuple[str, ...]) -> None:
    assert [(r["correct"], r["reason"]) for r in run([row("5"), row(None), row("")], *words).rows] == [
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
def test_lenient_ways(run: Grade, words: tuple[str, ...], right: list[bool]) -> None:
    done = run([row("5"), row(5), row("The answer is 5."), row(r"no, \boxed{5}")], *words)
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
def test_golds_that_are_numbers(run: Grade, gold: object, prediction: str, profile: str) -> None:
    done = run([row(rf"\boxed{{{prediction}}}", gold)], "--profile", profile)
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
def test_golds_of_every_type_are_read_and_written_back_as_they_stood(run: Grade, line: bytes, right: bool) -> None:
    done = run(line + b"\n")
    assert done.code == 0 and f'"correct": {str(right).lower()},' in done.out
    assert done.out.startswith(line.decode()[:-1])


def test_a_list_of_several_answers_is_said(run: Grade) -> None:
    assert (
        '2 golds are lists of several answers; all of them must be given, in any order ("1, 2")'
        in run([row(r"\boxed{1, 2}", [2, 1]), row("", ["x", "y"]), row("", ["z"])]).said
    )


def test_a_number_that_is_none_is_written_as_null(run: Grade) -> None:
    done = run(b'{"gold": 1, "prediction": NaN, "loss": Infinity}\n')
    assert (done.rows[0]["prediction"], done.rows[0]["loss"], done.rows[0]["reason"]) == (None, None, "no answer")


def test_an_integer_that_no_reader_of_json_takes_is_written_as_a_text(run: Grade) -> None:
    many = b"7" * 5000
    given = b'{"gold": %s, "n": [%s], "prediction": "\\\\boxed{7}"}\n' % (many, many)
    assert run(given).rows[0]["n"] == [many.decode()]


def test_the_gold_is_found_by_its_path(run: Grade) -> None:
    given = [{"reward_model": {"ground_truth": "5"}, "out": [{"text": r"\boxed{5}"}]}]
    assert run(given, "--gold", "reward_model.ground_truth", "--prediction", "out.0.text").rows[0]["correct"]


def test_fields_by_other_names_and_the_question(run: Grade) -> None:
    given = [{"answer": GOLD, "completion": r"\boxed{\sqrt{12}}", "question": r"Simplify $\sqrt{12}$"}]
    done = run(given, "--gold", "answer", "--prediction", "completion")
    assert (done.rows[0]["correct"], done.rows[0]["reason"]) == (False, "restates the question")


def test_marks_line_ends_and_blank_lines_are_no_errors(run: Grade) -> None:
    lines = [
        json.dumps(row(r"\boxed{5}", id="é\u2028\x85"), ensure_ascii=False).encode(),
        b"",
        b"  ",
        b'{"gold": 1, "prediction": "\x00\\u0000 \\\\boxed{1}"}',
    ]
    done = run(b"\xef\xbb\xbf" + b"\r\n".join(lines))
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
    run: Grade, tmp_path: Path, bad: bytes, line: int, said: str
) -> None:
    out = tmp_path / "graded.jsonl"
    good = json.dumps(row(r"\boxed{5}")).encode() + b"\n"
    done = run(good + bad, "--out", str(out))
    assert done.code == 2 and f"line={line}:" in done.said and said in done.said
    assert not done.out and [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_a_bad_line_of_a_file_is_told_before_any_row_is_printed(run: Grade) -> None:
    done = run(json.dumps(row(r"\boxed{5}")).encode() * 1 + b"\n" + b"{}\n")
    assert done.code == 2 and done.out == ""


def test_a_gold_that_aime_cannot_judge_is_malformed(run: Grade) -> None:
    done = run([row(r"\boxed{5}"), row(r"\boxed{5}", "x+1")], "--profile", "aime")
    assert done.code == 2 and "line=2: its gold (x+1)" in done.said


def test_an_older_output_stays_when_the_new_one_fails(run: Grade, tmp_path: Path) -> None:
    out = tmp_path / "graded.jsonl"
    assert run([row(r"\boxed{5}")], "--out", str(out)).code == 0
    before = out.read_bytes()
    assert json.loads(before)["correct"] is True
    assert run(b"{}\n", "--out", str(out)).code == 2
    assert out.read_bytes() == before and not (tmp_path / "graded.jsonl.partial").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.jsonl"], "FILE=nowhere.jsonl: cannot be opened"),
        (["."], "is a folder"),
        (["-", "--out", "no/such/folder/x"], "--out=no/such/folder/x.partial: cannot be opened"),
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


def test_an_empty_file_has_no_rows(run: Grade) -> None:
    done = run(b"")
    assert done.code == 0 and done.rows == [] and "0 rows, 0 right" in done.said


def test_the_table(run: Grade) -> None:
    long = r"\boxed{" + "x" * 100 + "\n\x1b[31m}"
    done = run([row(r"\boxed{5}", id="first"), row(long)], "--format", "table")
    head, first, second = done.out.splitlines()
    assert head.split() == ["id", "verdict", "extracted", "reason"]
    assert first.split() == ["first", "right", "5", "equal"]
    assert second.startswith("line 2  ") and "…" in second and "\x1b" not in second


def test_the_audit_says_rate_and_rows(run: Grade) -> None:
    done = run([row(r"\boxed{5}", id="a"), row("so it is 5", id="b"), row(r"\boxed{6}", id="c")], "--audit")
    assert [(r["correct"], r["second"]) for r in done.rows] == [(True, True), (False, True), (False, False)]
    assert "the second grader differs on 1 of 3 (33.33%); not compared: 0" in done.said
    assert "  b: gold '5', extracted '–': wrong (no answer), second right" in done.said


HOSTILE = {
    "tower": r"\boxed{\sqrt{9^{9^{9^{9^9}}}}}",
    "factorials": r"\boxed{\sqrt{((((9!)!)!)!)!}}",
    "megabyte": "1" * 1_000_000,
    "megabyte in a box": r"\boxed{" + "1" * 1_000_000 + "}",
    "braces": r"\boxed{" + "{" * 10_000 + "}" * 10_000 + "}",
    "NUL": "\\boxed{2\\sqrt{3}\x00}",
    "open box": r"\boxed{2\sqrt{3}",
    "boxes": r"\boxed{" * 5_000,
    "python": r"\boxed{__import__('os').system('touch ran')}",
    "lambda": r"\boxed{(lambda: open('ran','w'))()}",
    "surrogate": "\\boxed{\ud800}",
    "direction": "\\boxed{\u202e3}\u202c",
    "fullwidth": "\\boxed{２√３}",
    "zero width": "\\boxed{2\\sqrt{3}\u200b, 1}",
    "escapes": "\x1b[2J\\boxed{4}",
}


def test_hostile_rows_harm_nobody(run: Grade, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    right = row(r"so \boxed{\sqrt{12}}", GOLD, id="right")
    given = [one for name, text in HOSTILE.items() for one in (row(text, GOLD, id=name), right)]
    done = run(given, "--deadline", "0.3", "--workers", "2")
    assert done.code == 0 and [r["id"] for r in done.rows] == [r["id"] for r in given]
    assert [r["correct"] for r in done.rows] == [False, True] * len(HOSTILE)
    assert [r["prediction"] for r in done.rows] == [r["prediction"] for r in given]
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
def test_bombs_fail_and_their_neighbours_do_not(run: Grade) -> None:
    bombs, each = 2, 0.3
    given = [one for i in range(bombs) for one in (row(BOMB, GOLD, id=i), row(r"\boxed{\sqrt{12}}", GOLD))]
    done = run(given, "--deadline", str(each), "--workers", "2")
    assert [r["correct"] for r in done.rows] == [False, True] * bombs
    assert {r["reason"] for r in done.rows[::2]} <= {"timeout", "memory"}
    assert f"the grader failed on {bombs} rows" in done.said


def command(*words: str, **more: Any) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "tvo_cli", "grade", *words]
    return subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, **more
    )


def test_standard_input_and_output_as_bytes() -> None:
    process = command("-")
    out, said = process.communicate(json.dumps(row(r"\boxed{5}", id="é")).encode() + b"\n{bad")
    assert process.returncode == 2 and b"standard input, line=2: the last line is cut off" in said
    out, said = command("-").communicate('{"gold": "5", "prediction": "\\\\boxed{5}", "id": "é"}'.encode())
    assert json.loads(out)["id"] == "é" and "é" in out.decode() and b"1 rows, 1 right" in said


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    process = command("-")
    assert process.stdout and process.stdin
    process.stdout.close()
    process.stdin.write((json.dumps(row(r"\boxed{5}")).encode() + b"\n") * 2000)
    process.stdin.close()
    assert process.wait(20) == 0


def children(pid: int) -> tuple[int, ...]:
    tasks = Path(f"/proc/{pid}/task")
    return tuple(int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split())


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for children in /proc")
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGKILL, -9),
        *(
            pytest.param(*one, marks=pytest.mark.slow)
            for one in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129))
        ),
    ],
)
def test_no_orphans_and_nothing_half_written(number: signal.Signals, code: int, tmp_path: Path) -> None:
    given, out = tmp_path / "bombs.jsonl", tmp_path / "graded.jsonl"
    given.write_text("".join(json.dumps(row(BOMB.replace("9", str(digit)), GOLD)) + "\n" for digit in (9, 8, 7, 6)))
    process = command(str(given), "--out", str(out), "--deadline", "60", "--workers", "2", start_new_session=True)
    until = time.monotonic() + 60
    while len(children(process.pid)) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(1.0)
    pids = children(process.pid)
    assert len(pids) == 2 and all(map(is_running, pids))
    os.kill(process.pid, number)
    process.communicate(timeout=60)
    assert process.returncode == code and are_gone(pids)
    left = {path.name for path in tmp_path.iterdir()}
    assert left - {"graded.jsonl.partial"} == {"bombs.jsonl"}
    assert number == signal.SIGKILL or "graded.jsonl.partial" not in left


def test_rows_are_read_and_written_a_chunk_at_a_time() -> None:
    """Nothing waits for the end of the stream: the first rows come out while later ones are not yet written."""
    process = command("-")
    assert process.stdin and process.stdout
    process.stdin.write((json.dumps(row(r"\boxed{5}")).encode() + b"\n") * (rows_to_grade.ROWS_AT_ONCE + 1))
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["correct"] is True
    process.communicate()


def test_chunks_are_bounded_in_rows_and_bytes() -> None:
    def endless(size: int) -> Iterator[rows_to_grade.RowToGrade]:
        line = 0
        while True:
            line += 1
            yield rows_to_grade.RowToGrade(line, {}, "1", "2", size)

    assert len(next(rows_to_grade.row_chunks(endless(1)))) == rows_to_grade.ROWS_AT_ONCE
    assert len(next(rows_to_grade.row_chunks(endless(rows_to_grade.BYTES_AT_ONCE // 4)))) == 4


def test_it_starts_quickly_and_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row(r"\boxed{5}")) + "\n")
    program = f"""
import sys
from tvo_cli.cli.main import main
code = main(["grade", {str(path)!r}])
heavy = ("torch", "hydra", "omegaconf", "numpy", "sympy", "rich")
print(code, [name for name in heavy if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr.splitlines()[-1] == "0 []"
