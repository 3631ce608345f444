from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from tvo_cli.reward import Grader, worker_pool
from tvo_cli.types import Problem, Verdict

SETTINGS = {"profile": "math", "workers": 2, "deadline": 5.0, "cap_bytes": 65536, "memory_mb": 1024}
GOLD = r"2\sqrt{3}"  # not a plain number: a child must compare
RIGHT, WRONG = r"\boxed{\sqrt{12}}", r"\boxed{\sqrt{13}}"
BOMB = r"\boxed{\sqrt{9^{9^{9^{9^{9}}}}}}"
OTHER_BOMB = BOMB.replace("}}}}}}", "}}}}} + 1}")


def problem(answer: str, **fields: object) -> Problem:
    return Problem(**{"id": "p", "question": "?", "answer": answer, "source": "test", **fields})  # type: ignore[arg-type]


def grade(grader: Grader, *texts: str, gold: str = GOLD) -> list[Verdict]:
    """The verdicts on some texts, each of which answers the same question."""
    return grader.grade(texts, [problem(gold)] * len(texts), [True] * len(texts))


def verdicts_on(grader: Grader, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
    """The verdict on each pair's answer, in a box, by its gold."""
    boxed = [rf"\boxed{{{answer}}}" for _, answer in pairs]
    return grader.grade(boxed, [problem(gold) for gold, _ in pairs], [True] * len(pairs))


@pytest.fixture(scope="session")
def grader() -> Iterator[Grader]:
    with Grader({**SETTINGS, "workers": 1}) as pool:  # each child costs a second of imports
        yield pool


LIGHT = """
import sys, types
sys.path.insert(0, sys.argv[1])
import tvo_cli
algebra = types.ModuleType("tvo_cli.reward.math_verify_algebra")
exec('''
class GoldUnreadableByMathVerify(Exception): pass
def same_expression(gold, answer):
    while "9^" in answer: pass
    return answer == r"\\sqrt{12}"
''', vars(algebra))
sys.modules[algebra.__name__] = algebra
from tvo_cli.reward import worker_process, worker_sandbox
worker_process._import_libraries_before_limits = worker_sandbox.replace_eval_in_sympy = lambda: None
worker_process.serve_rows(*sys.argv[2:])
"""


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children as they are but for the algebra, whose import takes a second: one answer is right, bombs never end."""
    monkeypatch.setattr(worker_pool, "PROGRAM", LIGHT)


@pytest.fixture
def sharing(grader: Grader) -> Callable[..., Grader]:
    """Graders of other settings with the children of the session's grader, which nobody closes."""

    def one(**settings: object) -> Grader:
        other = Grader({**SETTINGS, **settings})
        other.pool = grader.pool
        return other

    return one


@pytest.fixture
def judge(grader: Grader) -> Callable[..., Verdict]:
    def one(text: str, answer: str, *, finished: bool = True, **fields: object) -> Verdict:
        return grader.grade([text], [problem(answer, **fields)], [finished])[0]

    return one
