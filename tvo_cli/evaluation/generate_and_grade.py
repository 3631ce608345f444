"""Generate and grade the missing responses of an evaluation, in batches of prompts of like length."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tvo_cli.errors import UserError
from tvo_cli.evaluation import responses
from tvo_cli.evaluation.protocol import Protocol, completions_per_problem, protocol_decodings, sampling_of_protocol
from tvo_cli.evaluation.protocol_answer import text_for_grader
from tvo_cli.evaluation.responses import GradedResponse
from tvo_cli.evaluation.suite import Suite
from tvo_cli.types import Problem, Verdict

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tvo_cli.reward import Grader
    from tvo_cli.rollout.engine import Completion, Engine

SCORERS = {"math": "math", "aime": "integer", "digits": "digits"}
UNGRADED = Verdict(False, None, "not graded")


class EvaluatorStep(NamedTuple):
    """Progress of an evaluation, as the evaluator reports it after each batch."""

    suite: str
    done: int  # completions of all suites, those of earlier runs included
    total: int
    right: int
    judged: int


@dataclass(frozen=True, slots=True)
class GenerationTask:
    """Some prompts of a suite that are generated the same way."""

    suite: Suite
    decoding: str  # sampled | greedy
    problems: tuple[Problem, ...]
    prompts: tuple[str, ...]


class UngradedResponse(NamedTuple):
    """A completion that is not graded yet, with its problem and prompt."""

    problem: Problem
    prompt: str
    sample: int
    completion: Completion


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Runs tasks and writes their responses."""

    engine: Engine
    grader: Grader | None  # None: predictions only
    path: Path
    seed: int
    batch_size: int

    def run(
        self, tasks: Sequence[GenerationTask], kept: Sequence[GradedResponse], watch: Callable[[EvaluatorStep], object]
    ) -> None:
        """Do every task; `kept` are the responses that are there already."""
        done, right = len(kept), sum(bool(row.correct) for row in kept)
        judged = sum(row.correct is not None for row in kept)
        total = done + sum(
            len(task.problems) * completions_per_problem(task.suite.protocol, task.decoding) for task in tasks
        )
        for task in tasks:
            for batch in self._batches(task):
                found = self._respond(batch)
                responses.append_responses(self.path, found)
                done, right = done + len(found), right + sum(bool(row.correct) for row in found)
                judged += sum(row.correct is not None for row in found)
                watch(EvaluatorStep(task.suite.name, done, total, right, judged))

    def _batches(self, task: GenerationTask) -> Iterator[GenerationTask]:
        """By length, so that a batch carries little padding and ends at once."""
        lengths = self.engine.lengths(task.prompts)
        order = sorted(range(len(lengths)), key=lambda index: (lengths[index], index))
        height = max(1, self.batch_size // completions_per_problem(task.suite.protocol, task.decoding))
        for start in range(0, len(order), height):
            chosen = order[start : start + height]
            problems, prompts = tuple(task.problems[i] for i in chosen), tuple(task.prompts[i] for i in chosen)
            yield replace(task, problems=problems, prompts=prompts)

    def _respond(self, task: GenerationTask) -> list[GradedResponse]:
        protocol, begun = task.suite.protocol, time.perf_counter()
        keys = [problem.id for problem in task.problems]
        drawn = self.engine(
            task.prompts, keys, sampling_of_protocol(protocol, task.decoding, self.batch_size), self.seed
        )
        rows = [
            UngradedResponse(problem, prompt, sample, completion)
            for problem, prompt, completions in zip(task.problems, task.prompts, drawn, strict=True)
            for sample, completion in enumerate(completions)
        ]
        seconds = (time.perf_counter() - begun) / len(rows)
        asked = [(row.problem, row.completion.text, row.completion.finished) for row in rows]
        verdicts = grade_completions(self.grader, protocol, asked)
        return [self._response(task, row, verdict, seconds) for row, verdict in zip(rows, verdicts, strict=True)]

    def _response(
        self, task: GenerationTask, row: UngradedResponse, verdict: Verdict, seconds: float
    ) -> GradedResponse:
        problem, completion = row.problem, row.completion
        return GradedResponse(
            suite=task.suite.name,
            id=problem.id,
            decoding=task.decoding,
            sample=row.sample,
            seed=self.seed,
            level=problem.level,
            subject=problem.subject,
            gold=problem.answer,
            prompt=str(row.prompt),
            completion=completion.text,
            extracted=verdict.extracted,
            correct=None if self.grader is None else verdict.correct,
            reason=verdict.reason,
            failed=verdict.failed,
            tokens=completion.tokens,
            finish="stop" if completion.finished else "length",
            seconds=seconds,
            second=verdict.second,
        )


def plan_missing_tasks(
    suites: Sequence[Suite], kept: Sequence[GradedResponse], tokenizer: PreTrainedTokenizerBase | None
) -> tuple[list[GenerationTask], list[GradedResponse]]:
    """What is still to be done, and the responses that count: those of problems whose samples are all there."""
    have: dict[tuple[str, str, str], list[GradedResponse]] = {}
    for row in kept:
        have.setdefault((row.suite, row.decoding, row.id), []).append(row)
    tasks, counted = [], list[GradedResponse]()
    for suite in suites:
        for decoding in protocol_decodings(suite.protocol):
            needed = completions_per_problem(suite.protocol, decoding)
            whole = {p.id: have.get((suite.name, decoding, p.id), []) for p in suite.problems}
            counted += [row for rows in whole.values() if len(rows) == needed for row in rows]
            missing = tuple(p for p in suite.problems if len(whole[p.id]) != needed)
            prompts = tuple(suite.protocol.render(problem, tokenizer) for problem in missing)
            tasks += [GenerationTask(suite, decoding, missing, prompts)] if missing else []
    return tasks, counted


def check_tasks_fit_context(tasks: Sequence[GenerationTask], engine: Engine) -> None:
    """UserError when a prompt and its budget do not fit the model."""
    if engine.context is None:
        return
    for task in tasks:
        budget, lengths = task.suite.protocol.max_tokens, engine.lengths(task.prompts)
        longest = max(range(len(lengths)), key=lengths.__getitem__)
        over = lengths[longest] + budget
        if over > engine.context:
            raise UserError(
                "protocol.max_tokens",
                budget,
                f"{task.suite.name}: the prompt of {task.problems[longest].id} has {lengths[longest]} tokens; "
                f"with {budget} for the answer that is {over}, and the model's context is {engine.context}.",
                _remedy_beyond_context(task.suite.name, engine.context, budget, lengths),
            )


def _remedy_beyond_context(suite: str, context: int, budget: int, lengths: Sequence[int]) -> str:
    """Less for the answer, or fewer problems; where neither helps, a longer context."""
    most, room = context - max(lengths), context - budget
    long = sum(length > room for length in lengths)
    ways = [f"take at most protocol.max_tokens={most}"] if most > 0 else []
    if long < len(lengths):
        key = f"evaluation.suites.{suite}.dataset.max_prompt_tokens={room}"
        ways.append(f"leave {long} of {len(lengths)} problems out: {key}")
    told = ", or ".join(ways) or "take a model of longer context"
    return f"{told[0].upper()}{told[1:]}."


def grade_completions(
    grader: Grader | None, protocol: Protocol, rows: Sequence[tuple[Problem, str, bool]]
) -> list[Verdict]:
    """Verdicts by the protocol's rules on (problem, completion, finished)."""
    if grader is None:
        return [UNGRADED] * len(rows)
    texts = [text_for_grader(text, protocol.answer) for _, text, _ in rows]
    problems = [replace(p, scorer=p.scorer or SCORERS[protocol.profile]) for p, _, _ in rows]
    ended = [finished or protocol.unfinished == "graded" for _, _, finished in rows]
    return grader.grade(texts, problems, ended)
