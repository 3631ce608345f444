"""A mixture: several data sets under names of their own, each with a weight (dataset=mixture)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from tvo_cli.data.problems import Problems
from tvo_cli.errors import UserError, UserErrors
from tvo_cli.types import Problem

SOURCES, WEIGHTS = "dataset.sources", "dataset.weights"
SCORERS = {"math": "math", "aime": "integer", "digits": "digits"}  # of each profile, as reward/grader.py has them
OF_THE_RUN = {"stop": "rollout.stop", "template": "model.prompt.template"}  # one for all prompts of a batch
Load = Callable[[Mapping[str, Any]], Problems]


class SourceProblems:
    """A data set as a source of a mixture: its problems carry the source's name, suffix and scorer."""

    def __init__(self, name: str, problems: Problems, node: Mapping[str, Any]) -> None:
        self.name, self.size, self.neutral_words = name, problems.size, problems.neutral_words
        self.problems, self._suffix = problems, str(node.get("suffix") or "")
        self._scorer = SCORERS[str(node.get("profile") or "math")]

    def problem(self, index: int) -> Problem:
        """The problem with this index, from 0 up."""
        found = self.problems.problem(index)
        return replace(
            found,
            id=f"{self.name}/{found.id}",
            source=self.name,
            scorer=found.scorer or self._scorer,
            suffix=self._suffix,
        )


@dataclass(frozen=True, slots=True)
class Source:
    """A data set of a mixture and its share of what is drawn."""

    name: str
    share: float  # of the problems drawn; the shares of a mixture add up to 1
    problems: Problems


class Mixture:
    """Several data sets as one: problem 0 of each source, then problem 1 of each, as long as a source has any."""

    def __init__(self, name: str, sources: Sequence[Source]) -> None:
        self.name, self.sources = name, tuple(sources)
        sizes = [source.problems.size for source in sources]
        self.size: int | None = None if None in sizes else sum(size or 0 for size in sizes)
        words = {source.problems.neutral_words for source in sources}
        self.neutral_words: tuple[str, ...] = words.pop() if len(words) == 1 else ()

    def problem(self, index: int) -> Problem:
        """The problem with this index, from 0 up."""
        source, inner = self._place(index)
        return source.problems.problem(inner)

    def with_problems(self, fit: Callable[[Source], Problems]) -> Mixture:
        """The same mixture over other problems of each source."""
        return Mixture(self.name, [replace(source, problems=fit(source)) for source in self.sources])

    def _place(self, index: int) -> tuple[Source, int]:
        """Which source a problem is of, and its index there."""
        begun = 0  # rounds over the sources that are behind us
        for alive, end in self._rounds():
            if end is None or index < (end - begun) * len(alive):
                return alive[index % len(alive)], begun + index // len(alive)
            index -= (end - begun) * len(alive)
            begun = end
        raise IndexError(index)

    def _rounds(self) -> Iterator[tuple[list[Source], int | None]]:
        """The sources that have problems left, and up to which round; None: without end."""
        ends = sorted({source.problems.size for source in self.sources if source.problems.size is not None})
        for end in [*ends, None]:
            alive = [one for one in self.sources if one.problems.size is None or one.problems.size >= (end or 2**62)]
            if alive:
                yield alive, end


def load_mixture(node: Mapping[str, Any], load: Load) -> Mixture:
    """The sources of a mixture, each loaded from its own node; `load` loads one.

    Raises:
        UserError: there is no source, one is a mixture itself, or two disagree in what a whole run has once.
    """
    shares, sources = shares_of_sources(node), []
    for name, one in node["sources"].items():
        with keys_of_source(str(name)):
            problems = SourceProblems(str(name), load(one), one)
        sources.append(Source(str(name), shares[str(name)], problems))
    return Mixture(str(node["name"]), sources)


def shares_of_sources(node: Mapping[str, Any]) -> dict[str, float]:
    """The share of each source of a mixture's node, which is checked; nothing is loaded."""
    nodes = node.get("sources") or {}
    if not nodes:
        remedy = "Name one: '+dataset@dataset.sources.easy=arithmetic' (docs/data.md)."
        raise UserError(SOURCES, dict(nodes), "names no data set.", remedy)
    for name, one in nodes.items():
        _check_source(str(name), one, node)
    weights = _weights_of_sources(node.get("weights") or {}, list(map(str, nodes)))
    return {name: weight / sum(weights.values()) for name, weight in weights.items()}


def _weights_of_sources(stated: Mapping[str, Any], names: Sequence[str]) -> dict[str, float]:
    """The weight of each source, 1 where none is stated; refuse one of nobody, or of nothing."""
    for name, weight in stated.items():
        if str(name) not in names:
            raise UserError(f"{WEIGHTS}.{name}", weight, "is of no source.", f"Sources: {', '.join(names)}.")
        if not float(weight) > 0:
            problem = "is no share of anything."
            raise UserError(f"{WEIGHTS}.{name}", weight, problem, "Give more than 0, or drop the source.")
    return {name: float(stated.get(name, 1.0)) for name in names}


def _check_source(name: str, node: Mapping[str, Any], mixture: Mapping[str, Any]) -> None:
    """Refuse a name that a metric cannot carry, a mixture inside a mixture, and what a run can only have once."""
    if not re.fullmatch(r"[\w.-]+", name):
        raise UserError(SOURCES, name, "is no name for a source.", "Take letters, digits, '-', '_' and '.'.")
    if node["kind"] == "mixture":
        raise UserError(f"{SOURCES}.{name}", "mixture", "is a mixture itself.", "Name its sources here.")
    for key, of_run in OF_THE_RUN.items():
        wanted, chosen = node.get(key), mixture.get(key)
        if wanted and chosen is None:
            problem = f"source {name} brings it, and a mixture has one {of_run} for all its sources."
            remedy = f"Say what holds for all: dataset.{key}=…, or {SOURCES}.{name}.{key}=null."
            raise UserError(f"{SOURCES}.{name}.{key}", wanted, problem, remedy)


@contextmanager
def keys_of_source(name: str) -> Iterator[None]:
    """Inside: errors of a data set name the keys that it has as a source of a mixture."""
    try:
        yield
    except UserErrors as several:
        raise UserErrors([_error_of_source(one, name) for one in several.errors]) from several
    except UserError as error:
        raise _error_of_source(error, name) from error


def _error_of_source(error: UserError, name: str) -> UserError:
    """The error with the keys that its data set has as a source of a mixture."""
    key, problem, remedy = (_key_of_source(str(text), name) for text in (error.key, error.problem, error.remedy))
    return UserError(key if key != "dataset" else f"{SOURCES}.{name}", error.value, problem, remedy)


def _key_of_source(text: str, name: str) -> str:
    """Put the source's name into every key of a data set that a text names."""
    return re.sub(r"(?<![\w.])dataset\.(?!sources\.)(?=[a-z])", f"{SOURCES}.{name}.", text)


def check_sources_fill_batch(problems: Mixture, prompts: int) -> None:
    """Refuse a weight that asks for more problems of a source in every batch than the source has.

    Raises:
        UserError: naming the source.
    """
    for source in problems.sources:
        size, wanted = source.problems.size, source.share * prompts
        if size is not None and int(wanted) > size:
            problem = f"gives it {wanted:.3g} of the {prompts} prompts of a batch, and it has {size} problems."
            remedy = f"Lower its weight, or take rollout.prompts={max(1, int(size / source.share))} or less."
            raise UserError(f"{WEIGHTS}.{source.name}", f"a share of {source.share:.3g}", problem, remedy)
