"""The reward functions of a user's own in a run: called on a whole batch, their faults told or counted by row."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.plugins.call_signature import parameters_asked_for
from tvo_cli.plugins.own_code_loading import load_callable
from tvo_cli.plugins.reward_entries import OFFERED, RewardEntry, reward_entries
from tvo_cli.reward.function_call import CallOutcome, FunctionRequest
from tvo_cli.reward.function_here import FunctionHere, run_state_kept
from tvo_cli.reward.function_worker import FunctionWorker
from tvo_cli.types import Problem, Verdict

log = logging.getLogger("tvo")


@dataclass(frozen=True, slots=True)
class ResponsesToReward:
    """The responses of a batch, everything a list with one entry each."""

    prompts: Sequence[str]
    responses: Sequence[str]
    problems: Sequence[Problem]
    verdicts: Sequence[Verdict]
    lengths: Sequence[int]  # tokens
    finished: Sequence[bool]

    def columns(self, names: Sequence[str]) -> dict[str, Sequence[Any]]:
        """Those that are asked for."""
        return {name: getattr(self, name) for name in names if name != "step"}


@dataclass(frozen=True, slots=True)
class FunctionRewards:
    """What one function says of each response: a reward, or None for no opinion."""

    values: tuple[float | None, ...]
    failed: int = 0  # of the Nones, those for which it failed


@dataclass(slots=True)
class RewardFunctions:
    """The functions of reward.functions; a context manager that ends their processes.

    Nothing is loaded or started before the first call, which a replay never makes.
    """

    entries: Sequence[RewardEntry]
    seed: int
    isolated: bool = True
    on_error: str = "stop"  # or count
    deadline: float = 5.0  # seconds of processor time for a call, where an entry says no other
    _callers: dict[str, FunctionWorker | FunctionHere] = field(default_factory=dict)
    _asked: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)  # functions of whose failures one was a warning

    @classmethod
    def of(cls, node: Mapping[str, Any], seed: int) -> RewardFunctions:
        """From the reward node."""
        return cls(
            entries=reward_entries(node.get("functions")),
            seed=seed,
            isolated=bool(node.get("isolated", True)),
            on_error=str(node.get("on_error") or "stop"),
            deadline=float(node.get("deadline") or 5.0),
        )

    def __enter__(self) -> RewardFunctions:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes; the functions may be called again."""
        for caller in self._callers.values():
            caller.close()

    @property
    def weights(self) -> dict[str, float]:
        """By name."""
        return {entry.name: entry.weight for entry in self.entries}

    def score(self, batch: ResponsesToReward, *, step: int, draw: int = 0) -> dict[str, FunctionRewards]:
        """What each function says of the batch, by name; they work side by side.

        Raises:
            UserError: one fails and reward.on_error is stop; function, step and row are named.
        """
        with self._ended_on_error():
            for entry in self.entries:
                self._caller(entry).start()  # all of them before one begins, whose deadline does not wait
            for entry in self.entries:
                self._caller(entry).send(self._request(entry, batch, step, draw))
            received = {entry.name: self._caller(entry).receive() for entry in self.entries}
        return {entry.name: self._judged(entry, batch, f"step {step}", *received[entry.name]) for entry in self.entries}

    @contextmanager
    def _ended_on_error(self) -> Iterator[None]:
        """No call stays under way behind an error of another."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _caller(self, entry: RewardEntry) -> FunctionWorker | FunctionHere:
        if entry.name not in self._callers:
            key = f"{entry.key}.call"
            with run_state_kept():
                function = load_callable(key, entry.call)
            self._asked[entry.name] = parameters_asked_for(entry.key, entry.call, function, OFFERED, entry.keywords)
            deadline = self.deadline if entry.deadline is None else entry.deadline
            worker = FunctionWorker(key, entry.call, deadline) if self.isolated else FunctionHere(key, entry.call)
            self._callers[entry.name] = worker
        return self._callers[entry.name]

    def _request(self, entry: RewardEntry, batch: ResponsesToReward, step: int, draw: int) -> FunctionRequest:
        asked = self._asked[entry.name]
        digest = hashlib.blake2b(repr((self.seed, step, draw, entry.name)).encode(), digest_size=8).digest()
        return FunctionRequest(
            columns=batch.columns(asked),
            constants={**entry.keywords, **({"step": step} if "step" in asked else {})},
            rows=len(batch.responses),
            seed=int.from_bytes(digest, "little") >> 1,
            reads="reward",
            every_fault=self.on_error == "count",
        )

    def _judged(
        self, entry: RewardEntry, batch: ResponsesToReward, about: str, outcome: CallOutcome, printed: str
    ) -> FunctionRewards:
        if printed:
            log.info("reward/%s printed: %s", entry.name, printed.rstrip())
        if not outcome.failure and not outcome.faults:
            return FunctionRewards(tuple(outcome.values))
        said = self._said_of(batch, about, outcome)
        if self.on_error != "count":
            remedy = "Mend the function, or count such rows as no opinion: reward.on_error=count"
            raise UserError(entry.key, entry.call, f"{said}.", remedy)
        level = logging.INFO if entry.name in self._told else logging.WARNING
        self._told.add(entry.name)
        log.log(level, "reward/%s: %s; counted as no opinion", entry.name, said)
        failed = len(batch.responses) if outcome.failure else len(outcome.faults)
        values = [None] * failed if outcome.failure else outcome.values
        return FunctionRewards(tuple(values), failed)

    def _said_of(self, batch: ResponsesToReward, about: str, outcome: CallOutcome) -> str:
        """What is wrong, and at which row of which batch."""
        if outcome.failure:
            return f"{about}, {len(batch.responses)} responses: {outcome.failure}"
        row, text = outcome.faults[0]
        more = f" (and {len(outcome.faults) - 1} more rows)" if len(outcome.faults) > 1 else ""
        return f"{about}, row {row} (problem {batch.problems[row].id}): {text}{more}"
