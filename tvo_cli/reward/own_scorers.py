"""Verdicts by a scorer of a user's own: `(responses, problems) → list of True, False, 1, 0, a verdict or None`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from tvo_cli.errors import UserError
from tvo_cli.plugins.call_signature import parameters_asked_for
from tvo_cli.plugins.own_code_loading import load_callable
from tvo_cli.plugins.scorer_reference import OFFERED, check_scorer, is_own_scorer
from tvo_cli.reward.function_call import CallOutcome, FunctionRequest
from tvo_cli.reward.function_here import FunctionHere, run_state_kept
from tvo_cli.reward.function_worker import FunctionWorker
from tvo_cli.types import Problem, Verdict

FAILED = "scorer failed"
NO_OPINION = "no opinion"


@dataclass(frozen=True, slots=True)
class ResponsesToJudge:
    """Responses that a scorer judges, with what the grader itself takes for their answers."""

    responses: Sequence[str]
    problems: Sequence[Problem]
    finished: Sequence[bool]
    extracted: Sequence[str | None]


@dataclass(slots=True)
class OwnScorers:
    """The scorers that problems name, each in a process of its own; any thread may ask."""

    key: str  # under which the config names it
    isolated: bool
    on_error: str
    deadline: float
    _callers: dict[str, FunctionWorker | FunctionHere] = field(default_factory=dict)
    _asked: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def judge(self, scorer: str, batch: ResponsesToJudge) -> list[Verdict]:
        """A verdict a response.

        Raises:
            UserError: the scorer fails and reward.on_error is stop; the row is named.
        """
        with self._lock:
            caller = self._caller(scorer)
            columns = {name: getattr(batch, name) for name in self._asked[scorer]}
            every = self.on_error == "count"
            caller.send(FunctionRequest(columns, {}, len(batch.responses), 0, "judgement", every))
            outcome, _ = caller.receive()
        if not every and (outcome.failure or outcome.faults):
            count = (
                ""
                if self.key.startswith("--")
                else " Or count such rows as failures of the grader: reward.on_error=count"
            )
            remedy = f"Mend it.{count}"
            raise UserError(self.key, scorer, f"{_said_of_scorer(batch, outcome)}.", remedy)
        return _verdicts_of_outcome(batch, outcome)

    def close(self) -> None:
        """End the processes; the scorers may be asked again."""
        for caller in self._callers.values():
            caller.close()

    def _caller(self, scorer: str) -> FunctionWorker | FunctionHere:
        if scorer not in self._callers:
            with run_state_kept():
                function = load_callable(self.key, scorer)
            self._asked[scorer] = parameters_asked_for(self.key, scorer, function, OFFERED, {})
            worker = (
                FunctionWorker(self.key, scorer, self.deadline) if self.isolated else FunctionHere(self.key, scorer)
            )
            self._callers[scorer] = worker
        return self._callers[scorer]


def _said_of_scorer(batch: ResponsesToJudge, outcome: CallOutcome) -> str:
    if outcome.failure:
        return f"{len(batch.responses)} responses: {outcome.failure}"
    row, text = outcome.faults[0]
    return f"row {row} (problem {batch.problems[row].id}): {text}"


def _verdicts_of_outcome(batch: ResponsesToJudge, outcome: CallOutcome) -> list[Verdict]:
    failed = set(range(len(batch.responses))) if outcome.failure else {row for row, _ in outcome.faults}
    verdicts = []
    for row, answer in enumerate(batch.extracted):
        found = outcome.values[row]
        if found is None:
            verdicts.append(Verdict(False, answer, FAILED if row in failed else NO_OPINION, failed=True))
        else:
            correct, extracted, reason = found
            said = reason or ("equal" if correct else "different")
            verdicts.append(Verdict(correct, answer if extracted is None else extracted, said))
    return verdicts


def checked_own_scorer(key: str, scorer: str) -> str:
    """The scorer that a command line names, loaded and its signature checked."""
    if not is_own_scorer(scorer):
        raise UserError(key, scorer, "names no function.", "Write FILE.py:NAME or package.module:NAME.")
    check_scorer(key, scorer)
    return scorer
