"""Hostile answers, killed children, threads, orphans: on the real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.processes import are_gone, is_running
from tests.reward.conftest import BOMB, OTHER_BOMB, RIGHT, SETTINGS, WRONG, grade, problem
from tests.time_guard import processor_seconds
from tvo_cli.reward import Grader, worker_pool
from tvo_cli.types import Verdict


@pytest.fixture(scope="module")
def shared() -> Iterator[Grader]:
    with Grader({**SETTINGS, "deadline": 0.3}) as grader:  # of processor time; what is no bomb takes milliseconds
        yield grader


@pytest.fixture
def hasty(shared: Grader) -> Grader:
    """The shared children, of which a test may kill some: the pool starts others in their place."""
    shared.counts.clear()
    return shared


@pytest.fixture
def fresh(light: None) -> Iterator[Grader]:
    """No children yet, and light ones."""
    with Grader({**SETTINGS, "deadline": 1.0}) as grader:
        yield grader


def test_a_deadline_kills_and_neighbours_are_graded_as_if_alone(hasty: Grader) -> None:
    assert [v.correct for v in grade(hasty, RIGHT, WRONG)] == [True, False]  # children are up
    before = hasty.pool.pids
    verdicts = grade(hasty, RIGHT, BOMB, RIGHT, WRONG)
    assert [(v.correct, v.failed) for v in verdicts] == [(True, False), (False, True), (True, False), (False, False)]
    assert verdicts[1].reason in ("timeout", "memory", "crash")
    assert hasty.counts == {verdicts[1].reason: 1}
    killed = set(before) - set(hasty.pool.pids)
    assert killed and are_gone(tuple(killed))


@pytest.mark.slow
def test_a_child_that_stands_still_costs_no_verdict(fresh: Grader) -> None:
    """It uses no processor time, so the limit in wall time ends it; the row is tried again, alone, and is right."""
    fresh.pool.patience = 1.0
    grade(fresh, RIGHT)
    (pid,) = fresh.pool.pids
    os.kill(pid, signal.SIGSTOP)
    (verdict,) = grade(fresh, RIGHT)
    assert verdict == Verdict(True, r"\sqrt{12}", "equal") and are_gone((pid,))


def test_a_child_that_was_killed_between_calls_is_replaced(fresh: Grader) -> None:
    grade(fresh, RIGHT)
    os.kill(fresh.pool.pids[0], signal.SIGKILL)
    assert grade(fresh, RIGHT, WRONG)[0].correct
    assert fresh.counts == {}


def another_bomb(answer: str) -> ParameterSet:
    """Each costs two deadlines and two children: a tower is in the fast test of the deadline."""
    return pytest.param(answer, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    "answer",
    [
        another_bomb("9^{9^{9^{9^9}}}"),
        another_bomb(r"\sqrt{9^{9^{9^9}}}"),
        another_bomb(r"(10^{10})!\sqrt{2}"),
        another_bomb(r"\sqrt{((((9!)!)!)!)!}"),
        "{" * 10_000 + "}" * 10_000,
        r"\frac{" * 3_000 + "1" + "}{2}" * 3_000,
        another_bomb("(" * 30 + "x" + "+1)^9" * 30),
        "1" * 1_000_000,
        "x" * 1_999,
        r"\sqrt" * 300 + "{2}",
        "\x00" * 100 + "2",
        r"2\sqrt{3}" + "\x00",
        "\ud800",
        another_bomb(r"\int_0^1 \sum_{n=1}^{10^{9}} \frac{1}{n^x} dx"),
        another_bomb(r"\sum_{k=1}^{10^{12}} \binom{10^{12}}{k}"),
        r"\begin{pmatrix}" + "1&" * 400 + r"1\end{pmatrix}",
        "__import__('os').system('touch {mark}')",
        r"\text{__import__('os').system('touch {mark}')}",
        "exec(open('/etc/passwd').read())",
        "x.__class__.__base__.__subclasses__()",
        "Symbol('x')); import os; os.system('touch {mark}'); (1",
        "f(lambda: 0)",
        "%s%n{0}{1}",
        "\\" * 999,
    ],
)
def test_hostile_answers_are_wrong_and_run_nothing(shared: Grader, answer: str, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    verdict, right = grade(shared, r"so \boxed{" + answer.replace("{mark}", str(mark)) + "}", RIGHT)
    assert not verdict.correct and right.correct
    assert not mark.exists()


def test_from_a_thread_and_after_the_thread_has_ended(fresh: Grader) -> None:
    """Linux ends a child with the thread that started it: a later call must not find them dead."""
    found: list[Verdict] = []
    thread = threading.Thread(target=lambda: found.extend(grade(fresh, RIGHT, WRONG)))
    thread.start()
    thread.join()
    pids = fresh.pool.pids
    time.sleep(0.3)
    assert [v.correct for v in found] == [True, False] and all(map(is_running, pids))
    assert [v.correct for v in grade(fresh, WRONG, RIGHT)] == [False, True] and fresh.pool.pids == pids


def test_from_many_threads_at_once(fresh: Grader) -> None:
    found: dict[int, list[bool]] = {}

    def work(index: int) -> None:
        texts = [RIGHT if (row + index) % 3 else WRONG for row in range(12)]
        found[index] = [v.correct for v in grade(fresh, *texts)]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {index: [bool((row + index) % 3) for row in range(12)] for index in range(4)}


def test_children_start_late_and_end_with_the_context(light: None) -> None:
    with Grader(SETTINGS) as grader:
        assert grader.pool.pids == ()
        grade(grader, RIGHT, WRONG)
        pids = grader.pool.pids
        assert len(pids) == 2 and all(map(is_running, pids))
    assert not any(map(is_running, pids)) and grader.pool.pids == ()


def test_an_interrupted_call_leaves_no_stale_answer(fresh: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    grade(fresh, RIGHT, WRONG)  # both children are up

    def interrupt(round_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(worker_pool._PoolRound, "_collect", interrupt)  # both rows have been sent by then
        grade(fresh, BOMB, OTHER_BOMB)
    assert [v.correct for v in grade(fresh, RIGHT, WRONG)] == [True, False] and fresh.counts == {}


PARENT = """
import sys, threading
from tests.reward.conftest import BOMB, LIGHT, OTHER_BOMB, RIGHT, SETTINGS, WRONG, grade
from tvo_cli.reward import Grader, worker_pool
worker_pool.PROGRAM = LIGHT
grader = Grader({**SETTINGS, "deadline": 60.0})
grade(grader, RIGHT, WRONG)
print(*grader.pool.pids, flush=True)
grade(grader, BOMB, OTHER_BOMB)
"""


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, *(pytest.param(n, marks=pytest.mark.slow) for n in (signal.SIGINT, signal.SIGTERM))]
)
def test_no_orphans_when_the_parent_dies_at_work(number: signal.Signals) -> None:
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=root
    )
    assert parent.stdout is not None
    pids = tuple(map(int, parent.stdout.readline().split()))
    time.sleep(0.3)
    assert len(pids) == 2 and all(map(is_running, pids))
    parent.send_signal(number)
    parent.wait(10)
    parent.stdout.close()
    assert are_gone(pids)


def test_the_child_refuses_to_write_to_run_and_to_evaluate() -> None:
    program = """
import os, subprocess, sympy, sys
from tvo_cli.reward import worker_sandbox
import math_verify
worker_sandbox.forbid_side_effects()
def refused(call):
    try:
        call()
    except Exception as error:
        return type(error).__name__
    return "done"
print(refused(lambda: os.system("true")), refused(lambda: subprocess.run(["true"])), refused(lambda: open("x", "w")))
print(refused(lambda: sympy.sympify("__import__('os').getpid()")), refused(lambda: sympy.S("print(1)")))
print(sympy.sympify("2*x + sin(3)/4"), sympy.parse_expr("(3+4)*2"))
"""
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    assert output[0] == "PermissionError PermissionError PermissionError"
    assert "done" not in output[1]
    assert output[2] == "2*x + sin(3)/4 14"


def test_memory_is_bounded_and_a_lack_of_it_is_a_failure() -> None:
    """In a child's process, with an algebra that takes 2 GB."""
    program = """
from tvo_cli.reward import math_verify_algebra, worker_process, worker_sandbox
worker_sandbox.limit_memory(1024)
row = {"gold": "x", "answers": ["y"], "scorer": "math"}
math_verify_algebra.same_expression = lambda gold, answer: bool(bytearray(1 << 29))
print(worker_process.judge_row(row)["reason"])
math_verify_algebra.same_expression = lambda gold, answer: bool(bytearray(1 << 31))
print(worker_process.judge_row(row))
"""
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output == "equal\n{'correct': False, 'reason': 'memory', 'failed': True}\n"


@pytest.mark.slow
def test_a_thousand_rows_take_seconds() -> None:
    """Half decided by rules, half by math-verify."""
    texts, golds = [], []
    for i in range(500):
        texts += [rf"\boxed{{{i}}}", rf"\boxed{{\sqrt{{{4 * (i + 2)}}}}}"]
        golds += [str(i % 400), rf"2\sqrt{{{i + 2}}}"]
    before = processor_seconds()
    with Grader(SETTINGS) as grader:
        verdicts = grader.grade(texts, [problem(gold) for gold in golds], [True] * 1000)
    assert processor_seconds() - before < 10.0, "the children's too, whatever else the machine does"
    assert [v.correct for v in verdicts] == [row % 2 == 1 or row < 800 for row in range(1000)]
