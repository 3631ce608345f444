"""The grader's worker process: reads one row a line from its input, writes one finding a line. It imports no torch.

Row: row, gold, answers, scorer, entry, deadline. Finding: row, correct, reason, failed.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from tvo_cli.reward import worker_sandbox
from tvo_cli.reward.equality_rules import equal_answers
from tvo_cli.reward.json_tuples import untag_tuples

RECURSION = 3000
READY = "ready"
FULL_MARKS = 1.0 - 1e-9


def serve_rows(parent: str, megabytes: str) -> None:
    """Read rows from standard input and write a finding for each, until the input ends."""
    worker_sandbox.die_with_parent(int(parent), int(megabytes))
    answers = os.fdopen(os.dup(1), "w", encoding="ascii", buffering=1)
    os.dup2(2, 1)  # nothing a library prints may look like a finding
    logging.disable(logging.CRITICAL)
    sys.setrecursionlimit(RECURSION)
    _import_libraries_before_limits()

    worker_sandbox.forbid_side_effects()
    worker_sandbox.limit_memory(int(megabytes))
    print(json.dumps(READY), file=answers)
    for line in sys.stdin.buffer:
        row = json.loads(line, object_hook=untag_tuples)
        worker_sandbox.limit_time(row["deadline"])
        finding = judge_row(row)
        worker_sandbox.lift_time_limit()
        print(json.dumps({"row": row["row"], **finding}), file=answers)
        if finding["reason"] == "memory":
            os._exit(0)  # the next row shall find as much memory as this one did


def _import_libraries_before_limits() -> None:
    """The limits are for rows, not for the libraries; and a first row shall not pay for the imports."""
    import math_verify  # noqa: F401

    from tvo_cli.reward.math_verify_algebra import same_expression

    same_expression(r"2\sqrt{3}", r"\sqrt{12}")  # the parser builds its tables at its first use


def judge_row(row: Mapping[str, Any]) -> dict[str, object]:
    """Correct when every answer of the row is; what breaks is named, and is no judgement."""
    from tvo_cli.reward.math_verify_algebra import GoldUnreadableByMathVerify

    try:
        score = _scorer_of_row(row["scorer"])
        correct = all(score(row, answer) for answer in row["answers"])
    except MemoryError:
        return {"correct": False, "reason": "memory", "failed": True}
    except GoldUnreadableByMathVerify:
        return {"correct": False, "reason": "gold unreadable", "failed": True}
    except Exception as error:  # a library's own failure, of any kind: counted by its name, never taken for a verdict
        return {"correct": False, "reason": f"error {type(error).__name__}", "failed": True}
    return {"correct": correct, "reason": "equal" if correct else "different", "failed": False}


def _scorer_of_row(name: str) -> Callable[[Mapping[str, Any], str], bool]:
    return {"math": _score_by_our_rules, "audit": _score_by_second_grader}.get(name) or _reasoning_gym_scorer(
        name.partition(":")[2]
    )


def _score_by_our_rules(row: Mapping[str, Any], answer: str) -> bool:
    from tvo_cli.reward.math_verify_algebra import same_expression

    return equal_answers(row["gold"], answer, same_expression)


def _score_by_second_grader(row: Mapping[str, Any], text: str) -> bool:
    """In the worker process: judge a row by math-verify instead of our rules."""
    from tvo_cli.reward.second_grader import second_grader_verdict

    return second_grader_verdict(row["gold"], text)


@lru_cache(maxsize=64)
def _reasoning_gym_scorer(task: str) -> Callable[[Mapping[str, Any], str], bool]:
    """Full marks by the task's own scorer."""
    import reasoning_gym

    worker_sandbox.replace_eval_in_package("reasoning_gym")
    score = reasoning_gym.get_score_answer_fn(task)
    return lambda row, answer: float(score(answer, row["entry"])) >= FULL_MARKS
