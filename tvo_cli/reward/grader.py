"""From responses to verdicts: extract, compare, and count what could not be judged."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.reward import answer_extraction
from tvo_cli.reward.answer_extraction import (
    ExtractedAnswer,
    extract_boxed_answer,
    extract_stated_answer,
    gold_from_solution,
    take_whole_answer,
)
from tvo_cli.reward.answer_limits import answer_defect
from tvo_cli.reward.answers import exact_number
from tvo_cli.reward.answers.canonical_text import canonical_question, canonical_text
from tvo_cli.reward.answers.digit_answers import read_aime_integer, read_digits
from tvo_cli.reward.equality_rules import NeedsAlgebra, equal_answers, is_choice_gold, is_list_gold, no_algebra
from tvo_cli.reward.json_tuples import tag_tuples
from tvo_cli.reward.second_grader import SecondGraderAudit, SecondGraderDisagreement
from tvo_cli.reward.worker_pool import MOST_WORKERS, WorkerPool, available_processors
from tvo_cli.types import Problem, Verdict

PROFILES = {"math": "math", "aime": "integer", "digits": "digits"}
UNFINISHED = ("wrong", "graded")
UNBOXED = {"wrong": None, "stated": extract_stated_answer, "whole": take_whole_answer}
RESTATED = re.compile(r"[\\^+*/!]|(?<=\d)-")


@dataclass(frozen=True, slots=True)
class GraderSettings:
    """How to grade. The defaults are those of conf/reward/math.yaml."""

    profile: str = "math"
    unfinished: str = "wrong"
    unboxed: str = "wrong"  # a response without a box: wrong; stated: after "answer is", ####; whole: all of it
    audit: bool = False  # ask the second grader too
    workers: int = 0  # 0: one a processor, at most eight
    deadline: float = 5.0  # seconds a row
    cap_bytes: int = 65536
    memory_mb: int = 1024

    def __post_init__(self) -> None:
        for key, offered in (("profile", tuple(PROFILES)), ("unfinished", UNFINISHED), ("unboxed", tuple(UNBOXED))):
            if getattr(self, key) not in offered:
                raise UserError(f"reward.{key}", getattr(self, key), "not a choice.", f"Choose {', '.join(offered)}.")
        least = {"workers": 0, "deadline": 0.01, "cap_bytes": 256, "memory_mb": 256}
        for key, limit in least.items():
            if getattr(self, key) < limit:
                raise UserError(f"reward.{key}", getattr(self, key), f"must be at least {limit}.")

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> GraderSettings:
        """From the reward node; what it does not name keeps its default."""
        kinds = {
            "profile": str,
            "unfinished": str,
            "unboxed": str,
            "audit": bool,
            "deadline": float,
            "workers": int,
            "cap_bytes": int,
            "memory_mb": int,
        }
        return cls(**{key: kind(node[key]) for key, kind in kinds.items() if node.get(key) is not None})


class Grader:
    """Judges responses; a context manager that ends its children.

    `counts`: its failures, by reason. With reward.audit=true, `audit` counts the rows that a second grader judged
    too and `disagreements` are those on which the two differ; each Verdict carries the other verdict as `second`.
    """

    def __init__(self, node: Mapping[str, Any], *, sharing: int = 1) -> None:
        """`sharing`: processes of this run that use the same processors, each with a grader."""
        self.settings = GraderSettings.of(node)
        self.counts: Counter[str] = Counter()
        self.audit = SecondGraderAudit()
        workers = self.settings.workers or max(1, min(MOST_WORKERS, available_processors() // sharing))
        self.pool = WorkerPool(workers, self.settings.deadline, self.settings.memory_mb)

    def __enter__(self) -> Grader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the children."""
        self.pool.close()

    def grade(self, texts: Sequence[str], problems: Sequence[Problem], finished: Sequence[bool]) -> list[Verdict]:
        """One verdict a response; texts[i] answers problems[i]. The same from any thread, in any company."""
        problems = [_problem_for_grader(problem) for problem in problems]
        verdicts: list[Verdict | None] = []
        requests: dict[int, dict[str, Any]] = {}
        for row, (text, problem, ended) in enumerate(zip(texts, problems, finished, strict=True)):
            judged = self._judge(text, problem, bool(ended))
            verdicts.append(judged if isinstance(judged, Verdict) else None)
            if not isinstance(judged, Verdict):
                requests[row] = judged
        findings = self.pool.judge(list(requests.values()))
        for (row, request), finding in zip(requests.items(), findings, strict=True):
            verdicts[row] = _verdict_from_finding(request, finding)
        result = [verdict for verdict in verdicts if verdict is not None]
        if self.settings.audit:
            result = self._audited(texts, problems, result)
        self.count_failures(result)
        return result

    def count_failures(self, verdicts: Sequence[Verdict]) -> None:
        """Add the failures among verdicts to `counts`: those of `grade` are, those of another process may be."""
        self.counts.update(verdict.reason for verdict in verdicts if verdict.failed)

    @property
    def disagreements(self) -> list[SecondGraderDisagreement]:
        """The rows on which the second grader differs, in the order of grading (the first 10,000)."""
        return self.audit.rows

    def _audited(self, texts: Sequence[str], problems: Sequence[Problem], verdicts: Sequence[Verdict]) -> list[Verdict]:
        """The verdicts with the second grader's beside them, where it knows the kind of problem."""
        known = [row for row, problem in enumerate(problems) if self._scorer(problem) in ("math", "integer")]
        capped = [answer_extraction.response_tail_with_answer(texts[row], self.settings.cap_bytes) for row in known]
        requests = [
            _grading_request("audit", problems[row].answer, (text,)) for row, text in zip(known, capped, strict=True)
        ]
        result = list(verdicts)
        for row, finding in zip(known, self.pool.judge(requests), strict=True):
            result[row] = replace(verdicts[row], second=None if finding["failed"] else bool(finding["correct"]))
        self.audit.record(problems, result)
        return result

    def equal(self, gold: str, answer: str) -> bool:
        """Whether two extracted answers are the same, in either order, for maj@k; malformed text equals nothing."""
        return any(self._same(*pair) for pair in ((gold, answer), (answer, gold)))

    def _same(self, gold: str, answer: str) -> bool:
        try:
            return equal_answers(gold, answer, no_algebra)
        except NeedsAlgebra:
            return bool(self.pool.judge([_grading_request("math", gold, (answer,))])[0]["correct"])

    def _judge(self, text: str, problem: Problem, finished: bool) -> Verdict | dict[str, Any]:
        """The verdict, or the request to a child that can give it."""
        found = self._extract(answer_extraction.response_tail_with_answer(text, self.settings.cap_bytes))
        if found.last is None:
            return Verdict(False, None, found.reason)
        flaw = found.reason or max(map(answer_defect, found.answers)) or self._unfinished(finished)
        if flaw:
            return Verdict(False, found.last, flaw)
        scorer = self._scorer(problem)
        if scorer in ("integer", "digits"):
            return _grade_digits(found, problem, scorer)
        if scorer.startswith("reasoning_gym:"):
            return _grade_reasoning_gym(found, problem, scorer)
        if scorer != "math":
            raise UserError(
                "dataset.scorer",
                scorer,
                "no such scorer.",
                "Choose math, integer, digits, reasoning_gym:TASK.",
            )
        if answer_defect(problem.answer):
            return Verdict(False, found.last, "gold unreadable", failed=True)
        return _grade_mathematics(found, problem)

    def _extract(self, text: str) -> ExtractedAnswer:
        """The boxes; without any, what reward.unboxed takes for the answer."""
        found = extract_boxed_answer(text)
        instead = UNBOXED[self.settings.unboxed]
        return found if instead is None or found.last is not None or answer_extraction.has_box(text) else instead(text)

    def _scorer(self, problem: Problem) -> str:
        return problem.scorer or PROFILES[self.settings.profile]

    def _unfinished(self, finished: bool) -> str:
        return "" if finished or self.settings.unfinished == "graded" else "unfinished"


def _problem_for_grader(problem: Problem) -> Problem:
    """The problem with the box of its gold where that is a worked solution."""
    gold = gold_from_solution(problem.answer)
    return problem if gold == problem.answer else replace(problem, answer=gold)


def _grade_mathematics(found: ExtractedAnswer, problem: Problem) -> Verdict | dict[str, Any]:
    answers = found.answers
    gold, said = exact_number.normalize_decimal(problem.answer), exact_number.normalize_decimal(answers[-1])
    if len(answers) == 1 and gold is not None and said is not None:  # the rules would say the same, more slowly
        return _verdict_from_equality(gold == said, answers[-1], 1)
    if len(answers) > 1 and is_list_gold(problem.answer):
        answers = (", ".join(answers),)
    if not is_choice_gold(problem.answer) and any(_restates_question(answer, problem) for answer in answers):
        return Verdict(False, found.last, "restates the question")
    try:
        correct = all([equal_answers(problem.answer, answer, no_algebra) for answer in answers])
    except NeedsAlgebra:
        return _grading_request("math", problem.answer, answers)
    return _verdict_from_equality(correct, answers[-1], len(answers))


def _restates_question(answer: str, problem: Problem) -> bool:
    """An expression copied from the question, where the gold is written otherwise."""
    said = canonical_text(answer)
    if (
        said == canonical_text(problem.answer)
        or not RESTATED.search(said)
        or exact_number.normalize_decimal(said) is not None
    ):
        return False
    return said in canonical_question(problem.question)


def _grade_digits(found: ExtractedAnswer, problem: Problem, scorer: str) -> Verdict:
    read = read_aime_integer if scorer == "integer" else read_digits
    gold = read(problem.answer)
    if gold is None:
        raise UserError(
            "dataset.answer",
            problem.answer,
            f"the answer of {problem.id} is not one the {scorer} scorer knows.",
        )
    return _verdict_from_equality(all(read(answer) == gold for answer in found.answers), found.last, len(found.answers))


def can_judge_gold(profile: str, gold: str) -> bool:
    """Whether the profile's scorer can judge against this gold."""
    gold = gold_from_solution(gold)
    read = {"integer": read_aime_integer, "digits": read_digits}.get(PROFILES[profile])
    return bool(gold.strip()) if read is None else read(gold) is not None


def _grade_reasoning_gym(found: ExtractedAnswer, problem: Problem, scorer: str) -> Verdict | dict[str, Any]:
    if len(found.answers) > 1:
        return Verdict(False, found.last, "several answers")
    if importlib.util.find_spec("reasoning_gym") is None:
        raise UserError(
            "dataset.scorer",
            scorer,
            "reasoning_gym is not installed.",
            "Run: pip install -e '.[reasoning-gym]'",
        )
    entry = {"question": problem.question, "answer": problem.answer, "metadata": tag_tuples(dict(problem.metadata))}
    return {**_grading_request(scorer, problem.answer, found.answers), "entry": entry}


def _grading_request(scorer: str, gold: str, answers: Sequence[str]) -> dict[str, Any]:
    return {"scorer": scorer, "gold": gold, "answers": list(answers), "entry": None}


def _verdict_from_finding(request: Mapping[str, Any], finding: Mapping[str, Any]) -> Verdict:
    answers = request["answers"]
    if finding["failed"]:
        return Verdict(False, answers[-1], str(finding["reason"]), failed=True)
    return _verdict_from_equality(bool(finding["correct"]), answers[-1], len(answers))


def _verdict_from_equality(correct: bool, answer: str | None, count: int) -> Verdict:
    if correct:
        return Verdict(True, answer, "equal")
    return Verdict(False, answer, "several answers" if count > 1 else "different")
