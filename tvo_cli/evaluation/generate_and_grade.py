"""Generate and grade the missing responses of an evaluation, in batches of prompts of like length."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tvo_cli.evaluation import responses
from tvo_cli.evaluation.generation_tasks import GenerationTask
from tvo_cli.evaluation.protocol import Protocol, completions_per_problem, sampling_of_protocol
from tvo_cli.evaluation.protocol_answer import text_for_grader
from tvo_cli.evaluation.responses import GradedResponse
from tvo_cli.types import Problem, Verdict

if TYPE_CHECKING:
    from tvo_cli.reward import Grader
    from tvo_cli.rollout.engines.engine import Completion, Engine

SCORERS = {"math": "math", "aime": "integer", "digits": "digits"}
FLUSH_SECONDS = 1.0  # a kill costs the completions of so long at most
UNGRADED = Verdict(False, None, "not graded")


class EvaluatorProgress(NamedTuple):
    """Progress of an evaluation, as the evaluator reports it after each batch."""

    suite: str
    done: int  # completions of all suites, those of earlier runs included
    total: int
    right: int  # of this suite, in the decoding that its table counts: the samples, where there are any
    judged: int


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Runs tasks and writes their responses."""

    engine: Engine
    grader: Grader | None  # None: predictions only
    path: Path
    seed: int
    batch_size: int

    def run(
        self,
        tasks: Sequence[GenerationTask],
        kept: Sequence[GradedResponse],
        watch: Callable[[EvaluatorProgress], object],
    ) -> None:
        """Do every task; `kept` are the responses that are there already."""
        missing = sum(len(task.problems) * completions_per_problem(task.protocol, task.decoding) for task in tasks)
        tally = EvaluationTally(len(kept) + missing, watch, _main_decodings(kept, tasks))
        tally.count(kept)
        for task in tasks:
            for batch in self._batches(task):
                self._respond(batch, tally)

    def _batches(self, task: GenerationTask) -> Iterator[GenerationTask]:
        """By length, so that a batch carries little padding; several at once where the engine takes them."""
        lengths = self.engine.lengths(task.prompts)
        order = sorted(range(len(lengths)), key=lambda index: (lengths[index], index))
        completions = self.batch_size * self.engine.batches_at_once
        height = max(1, completions // completions_per_problem(task.protocol, task.decoding))
        for start in range(0, len(order), height):
            chosen = order[start : start + height]
            problems, prompts = tuple(task.problems[i] for i in chosen), tuple(task.prompts[i] for i in chosen)
            yield replace(task, problems=problems, prompts=prompts)

    def _respond(self, task: GenerationTask, tally: EvaluationTally) -> None:
        """Generate a batch; completions are graded and written while others are still being generated."""
        sampling = sampling_of_protocol(task.protocol, task.decoding, self.batch_size)
        keys = [problem.id for problem in task.problems]
        with BatchJournal(self, task, tally) as journal:
            drawn = self.engine(task.prompts, keys, sampling, self.seed, report=journal.add)
            for prompt, completions in enumerate(drawn):
                for sample, completion in enumerate(completions):
                    journal.add(prompt, sample, completion)

    def grade(
        self, task: GenerationTask, rows: Sequence[tuple[int, int, Completion]], seconds: float
    ) -> list[GradedResponse]:
        """The completions of (prompt, sample) with their verdicts; `seconds` is what each took."""
        asked = [(task.problems[prompt], completion.text, completion.finished) for prompt, _, completion in rows]
        verdicts = grade_completions(self.grader, task.protocol, asked)
        return [self._response(task, *row, verdict, seconds) for row, verdict in zip(rows, verdicts, strict=True)]

    def _response(
        self,
        task: GenerationTask,
        prompt: int,
        sample: int,
        completion: Completion,
        verdict: Verdict,
        seconds: float,
    ) -> GradedResponse:
        problem = task.problems[prompt]
        return GradedResponse(
            suite=task.suite.name,
            id=problem.id,
            decoding=task.decoding,
            sample=sample,
            seed=self.seed,
            level=problem.level,
            subject=problem.subject,
            gold=problem.answer,
            prompt=str(task.prompts[prompt]),
            completion=completion.text,
            extracted=verdict.extracted,
            correct=None if self.grader is None else verdict.correct,
            reason=verdict.reason,
            failed=verdict.failed,
            tokens=completion.tokens,
            finish="stop" if completion.finished else "length",
            seconds=seconds,
            second=verdict.second,
            pair=None if completion.pair is None else completion.pair._asdict(),
            strategy=chosen._asdict() if (chosen := task.suite.strategies.get(problem.id)) else None,
        )


@dataclass(slots=True)
class EvaluationTally:
    """How many completions there are; of each suite's main decoding how many were judged, how many are right."""

    total: int
    watch: Callable[[EvaluatorProgress], object]
    decodings: Mapping[str, str]  # the main one of each suite, as its table counts
    done: int = 0
    right: Counter[str] = field(default_factory=Counter)
    judged: Counter[str] = field(default_factory=Counter)

    def count(self, rows: Sequence[GradedResponse]) -> None:
        """Count responses."""
        self.done += len(rows)
        main = [row for row in rows if row.decoding == self.decodings[row.suite]]
        self.right.update(row.suite for row in main if row.correct)
        self.judged.update(row.suite for row in main if row.correct is not None)

    def tell(self, suite: str) -> None:
        """Report the progress."""
        self.watch(EvaluatorProgress(suite, self.done, self.total, self.right[suite], self.judged[suite]))


def _main_decodings(kept: Sequence[GradedResponse], tasks: Sequence[GenerationTask]) -> dict[str, str]:
    """The decoding that each suite is generated with for its table: sampled, greedy where there is no other."""
    found = {(row.suite, row.decoding) for row in kept} | {(task.suite.name, task.decoding) for task in tasks}
    return {suite: "sampled" if (suite, "sampled") in found else "greedy" for suite, _ in found}


class BatchJournal:
    """Completions of a batch: graded and written as they come, once in FLUSH_SECONDS, and whatever ends the batch."""

    def __init__(self, evaluator: Evaluator, task: GenerationTask, tally: EvaluationTally) -> None:
        self._evaluator, self._task, self._tally = evaluator, task, tally
        self._waiting: list[tuple[int, int, Completion]] = []
        self._known: set[tuple[int, int]] = set()
        self._written = time.perf_counter()

    def __enter__(self) -> BatchJournal:
        return self

    def add(self, prompt: int, sample: int, completion: Completion) -> None:
        """Take a completion; one that was taken already is passed over."""
        if (prompt, sample) in self._known:
            return
        self._known.add((prompt, sample))
        self._waiting.append((prompt, sample, completion))
        if time.perf_counter() - self._written >= FLUSH_SECONDS:
            self._write()

    def _write(self) -> None:
        """Grade and append what waits; its share of the time since the last writing is each one's seconds."""
        if not self._waiting:
            return
        now = time.perf_counter()
        rows, seconds = sorted(self._waiting, key=lambda row: row[:2]), (now - self._written) / len(self._waiting)
        self._waiting, self._written = [], now
        found = self._evaluator.grade(self._task, rows, seconds)
        responses.append_responses(self._evaluator.path, found)
        self._tally.count(found)
        self._tally.tell(self._task.suite.name)

    def __exit__(self, *error: object) -> None:
        self._write()


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
