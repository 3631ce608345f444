"""Faults put into real runs of the embedded task: by settings, or by wrappers around the parts of a session.

The product's own algorithms are untouched. A wrapper acts from step `onset` on, so that a run is healthy before it; a
fault of the settings is there from the first step.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from tvo_cli.training.session import Session
from tvo_cli.types import Problem, Verdict

ONSET = 13  # the first step of a fault that begins while the run is under way
STALE_BY = 8  # steps that the sampler's weights lag behind
FLIPPED = 10  # one problem in so many has its verdicts turned round
FASTER = 30.0
Inject = Callable[[Session, int], None]


@dataclass(frozen=True)
class Fault:
    """One way in which a run goes wrong; `failures` are the names that a diagnosis may rightly give it."""

    name: str
    about: str
    overrides: tuple[str, ...] = ()
    inject: Inject | None = None
    onset: int = ONSET
    algorithms: tuple[str, ...] = ("grpo", "tvo")


class BeforeEachStep:
    """A sampler that calls a function before it samples a training step; evaluations have a sampler of their own."""

    def __init__(self, sampler: Any, act: Callable[[], None]) -> None:
        self._sampler, self._act = sampler, act

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampler, name)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        self._act()
        return self._sampler(*arguments, **keywords)


class StaleSampler:
    """A sampler whose weights are those of `STALE_BY` steps ago from the onset on."""

    def __init__(self, session: Session, onset: int) -> None:
        self._sampler, self._session, self._onset = session.sampler, session, onset
        self._weights: deque[dict[str, torch.Tensor]] = deque(maxlen=STALE_BY + 1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampler, name)

    def __call__(self, policy: Any, *arguments: Any, **keywords: Any) -> Any:
        now = {name: value.detach().clone() for name, value in policy.network.state_dict().items()}
        self._weights.append(now)
        if self._session.counters.step + 1 < self._onset:
            return self._sampler(policy, *arguments, **keywords)
        policy.network.load_state_dict(self._weights[0])
        try:
            return self._sampler(policy, *arguments, **keywords)
        finally:
            policy.network.load_state_dict(now)


@dataclass
class FaultyGrader:
    """A grader whose verdicts are changed from the onset on; the held-out evaluation keeps the right one."""

    grader: Any
    session: Session
    onset: int
    change: Callable[[Problem, Verdict], Verdict]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.grader, name)

    def grade(self, texts: Sequence[str], problems: Sequence[Problem], finished: Sequence[bool]) -> list[Verdict]:
        """Verdicts, changed where the fault has begun."""
        verdicts: list[Verdict] = self.grader.grade(texts, problems, finished)
        if self.session.counters.step + 1 < self.onset:
            return verdicts
        return [self.change(problem, verdict) for problem, verdict in zip(problems, verdicts, strict=True)]


@dataclass
class NotFiniteEstimator:
    """An estimator one of whose advantages is not a number from the onset on."""

    estimator: Any
    session: Session
    onset: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.estimator, name)

    def __call__(self, experience: Any) -> Any:
        advantage = self.estimator(experience)
        if self.session.counters.step + 1 < self.onset:
            return advantage
        broken = advantage.values.clone()
        broken[0] = float("nan")
        return replace(advantage, values=broken)


def _accept_everything(session: Session, onset: int) -> None:
    faulty: Any = FaultyGrader(session.grader, session, onset, lambda _, verdict: replace(verdict, correct=True))
    session.grader = faulty


def _flip_a_tenth(session: Session, onset: int) -> None:
    def change(problem: Problem, verdict: Verdict) -> Verdict:
        chosen = int.from_bytes(hashlib.sha256(problem.id.encode()).digest()[:4], "big") % FLIPPED == 0
        return replace(verdict, correct=not verdict.correct) if chosen else verdict

    faulty: Any = FaultyGrader(session.grader, session, onset, change)
    session.grader = faulty


def _raise_rate(session: Session, onset: int) -> None:
    usual = session.learner.lr

    def act() -> None:
        session.learner.lr = usual * (FASTER if session.counters.step + 1 >= onset else 1.0)

    session.sampler = BeforeEachStep(session.sampler, act)


def _lag_behind(session: Session, onset: int) -> None:
    session.sampler = StaleSampler(session, onset)


def _ask_once(session: Session, onset: int) -> None:
    usual = session.sampling

    def act() -> None:
        session.sampling = replace(usual, samples=1) if session.counters.step + 2 >= onset else usual

    session.sampler = BeforeEachStep(session.sampler, act)  # it has this step's sampling already: the next one's counts


def _break_advantages(session: Session, onset: int) -> None:
    algorithm = session.learner.algorithm
    faulty: Any = NotFiniteEstimator(algorithm.estimator, session, onset)
    algorithm.estimator = faulty


LENGTH_REWARD = (Path(__file__).parent / "length_reward.py").as_posix()
BOUGHT = f"reward.functions=[{{call: '{LENGTH_REWARD}:longer', weight: 1.0, onset: {ONSET}}}]"
FAULTS = (
    Fault("accepts_all", "the verifier accepts everything", inject=_accept_everything),
    Fault("flipped", "verdicts of a tenth of the problems are turned round", inject=_flip_a_tenth),
    Fault("rate_30", "the learning rate is 30 times what it was", inject=_raise_rate, algorithms=("grpo", "reinforce")),
    Fault("length_bought", "long words earn as much as a right answer", (BOUGHT, "reward.isolated=false")),
    Fault("stale", f"the sampler's weights are {STALE_BY} steps old", ("trainer.old_logp=trainer",), _lag_behind),
    Fault("used_up", "16 problems, again and again", ("dataset.limit=16",), onset=1),
    Fault("not_finite", "an advantage that is not a number", inject=_break_advantages),
    Fault("group_of_one", "one response a prompt", inject=_ask_once, algorithms=("grpo",)),
)
