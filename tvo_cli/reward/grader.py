"""From responses to verdicts: extract, compare, and count what could not be judged."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.plugins.scorer_reference import is_own_scorer
from tvo_cli.reward import answer_extraction
from tvo_cli.reward.answer_extraction import (
    ExtractedAnswer,
    boxed_gold_of_solution,
    extract_boxed_answer,
)
from tvo_cli.reward.answer_limits import answer_defect
from tvo_cli.reward.answers import exact_number
from tvo_cli.reward.answers.canonical_text import canonical_question, canonical_text
from tvo_cli.reward.answers.digit_answers import read_aime_integer, read_digits
from tvo_cli.reward.equality_rules import NeedsAlgebra, equal_answers, is_choice_gold, is_list_gold, no_algebra
from tvo_cli.reward.grader_settings import PROFILES, UNBOXED, GraderSettings
from tvo_cli.reward.json_tuples import tag_tuples
from tvo_cli.reward.own_scorers import OwnScorers, ResponsesToJudge
from tvo_cli.reward.second_grader import SecondGraderAudit, SecondGraderDisagreement
from tvo_cli.reward.worker_pool import MOST_WORKERS, WorkerPool, processors_for_workers
from tvo_cli.types import Problem, Verdict

RESTATED = re.compile(r"[\\^+*/!]|(?<=\d)-")


class Grader:
    """Judges responses; a context manager that ends its children.

    `counts`: its failures, by reason. With reward.audit=true, `audit` counts the rows that a second grader judged
    too and `disagreements` are those on which the two differ; each Verdict carries the other verdict as `second`.
    """

    def __init__(self, node: Mapping[str, Any], *, sharing: int = 1, scorer_key: str = "reward.scorer") -> None:
        """`sharing`: processes of this run that use the same processors, each with a grader.

        `scorer_key`: where the user has named an own scorer that judges every response.
        """
        self.settings = GraderSettings.of(node)
        self.counts: Counter[str] = Counter()
        self.audit = SecondGraderAudit()
        workers = self.settings.workers or max(1, min(MOST_WORKERS, processors_for_workers() // sharing))
        self.pool = WorkerPool(workers, self.settings.deadline, self.settings.memory_mb)
        key = scorer_key if self.settings.scorer else "dataset.scorer"
        self.own = OwnScorers(key, self.settings.isolated, self.settings.on_error, self.settings.deadline)

    def __enter__(self) -> Grader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the children."""
        self.pool.close()
        self.own.close()

    def grade(self, texts: Sequence[str], problems: Sequence[Problem], finished: Sequence[bool]) -> list[Verdict]:
        """One verdict a response; texts[i] answers problems[i]. The same from any thread, in any company."""
        rows = list(zip(texts, problems, finished, strict=True))
        found: dict[int, Verdict] = {}
        for scorer, chosen in self._rows_by_scorer(problems).items():
            judge = partial(self._judge_by_own_scorer, scorer) if scorer else self._judge_by_rules
            found |= zip(chosen, judge(*zip(*(rows[row] for row in chosen), strict=True)), strict=True)
        verdicts = [found[row] for row in range(len(rows))]
        self.count_failures(verdicts)
        return verdicts

    def _rows_by_scorer(self, problems: Sequence[Problem]) -> dict[str, list[int]]:
        """Which rows are judged together: those of each own scorer, and by "" all others."""
        found: dict[str, list[int]] = {}
        for row, problem in enumerate(problems):
            scorer = self._scorer(problem)
            found.setdefault(scorer if is_own_scorer(scorer) else "", []).append(row)
        return found

    def _judge_by_own_scorer(
        self, scorer: str, texts: Sequence[str], problems: Sequence[Problem], finished: Sequence[bool]
    ) -> list[Verdict]:
        """Verdicts by a function of the user's own; a response without an end is wrong without being shown."""
        answers = [
            self._extract(answer_extraction.response_tail_with_answer(t, self.settings.cap_bytes)) for t in texts
        ]
        flaws = [self._unfinished(bool(ended)) for ended in finished]
        verdicts = [Verdict(False, answer.last, flaw) for answer, flaw in zip(answers, flaws, strict=True)]
        shown = [row for row, flaw in enumerate(flaws) if not flaw]
        if shown:
            batch = ResponsesToJudge(
                responses=[texts[row] for row in shown],
                problems=[problems[row] for row in shown],
                finished=[bool(finished[row]) for row in shown],
                extracted=[answers[row].last for row in shown],
            )
            for row, verdict in zip(shown, self.own.judge(scorer, batch), strict=True):
                verdicts[row] = verdict
        return verdicts

    def _judge_by_rules(
        self, texts: Sequence[str], problems: Sequence[Problem], finished: Sequence[bool]
    ) -> list[Verdict]:
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
        return self._audited(texts, problems, result) if self.settings.audit else result

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
                "Choose math, integer, digits, reasoning_gym:TASK, or a function of your own: FILE.py:NAME.",
            )
        if answer_defect(problem.answer):
            return Verdict(False, found.last, "gold unreadable", failed=True)
        return _grade_mathematics(found, problem)

    def judge_here(self, text: str, problem: Problem, *, finished: bool) -> Verdict | None:
        """The verdict, in this process and not counted; None where algebra or a function of the user's decides."""
        if is_own_scorer(self._scorer(problem)):
            return None
        judged = self._judge(text, _problem_for_grader(problem), finished)
        return judged if isinstance(judged, Verdict) else None

    def _extract(self, text: str) -> ExtractedAnswer:
        """The boxes; without any, what reward.unboxed takes for the answer."""
        found = extract_boxed_answer(text)
        instead = UNBOXED[self.settings.unboxed]
        return found if instead is None or found.last is not None or answer_extraction.has_box(text) else instead(text)

    def _scorer(self, problem: Problem) -> str:
        return self.settings.scorer or problem.scorer or PROFILES[self.settings.profile]

    def _unfinished(self, finished: bool) -> str:
        return "" if finished or self.settings.unfinished == "graded" else "unfinished"


def _problem_for_grader(problem: Problem) -> Problem:
    """The problem with the box of its gold where that is a worked solution."""
    gold = boxed_gold_of_solution(problem.answer)
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
    """Whether the grader of a profile can judge against this gold."""
    gold = boxed_gold_of_solution(gold)
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
