from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tvo_cli.reward import Grader
from tvo_cli.types import Problem, Verdict

SETTINGS = {"profile": "math", "workers": 2, "deadline": 5.0, "cap_bytes": 65536, "memory_mb": 1024}


def problem(answer: str, **fields: object) -> Problem:
    return Problem(**{"id": "p", "question": "?", "answer": answer, "source": "test", **fields})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def grader() -> Iterator[Grader]:
    with Grader(SETTINGS) as pool:
        yield pool


@pytest.fixture
def judge(grader: Grader) -> Callable[..., Verdict]:
    def one(text: str, answer: str, *, finished: bool = True, **fields: object) -> Verdict:
        return grader.grade([text], [problem(answer, **fields)], [finished])[0]

    return one
