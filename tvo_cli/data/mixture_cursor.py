"""The cursor of a mixture: which source the next problem comes from, and each source's own cursor."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from tvo_cli.data.cursor import ProblemCursor, ProblemOutcome
from tvo_cli.data.mixture import Mixture, keys_of_source
from tvo_cli.data.problems import Problems
from tvo_cli.errors import UserError
from tvo_cli.types import Problem


class MixtureCursor:
    """A cursor over a mixture: the source furthest behind its share is next.

        s* = argmax_s (q_s·(n + 1) − d_s)        q_s: share, n: problems drawn so far, d_s: those of source s

    Nothing is drawn by lot, so a source is never a whole problem ahead of its share, in every batch of every length.
    A source that has no problem left for a batch, which never holds one twice, is passed over in it. Inside a
    source its own cursor decides.
    """

    def __init__(self, problems: Mixture, make: Callable[[Problems], ProblemCursor]) -> None:
        self.problems: Problems = problems
        self._shares = {source.name: source.share for source in problems.sources}
        self._sizes = {source.name: source.problems.size for source in problems.sources}
        self._cursors: dict[str, ProblemCursor] = {}
        for source in problems.sources:
            with keys_of_source(source.name):
                self._cursors[source.name] = make(source.problems)
        self._drawn = dict.fromkeys(self._shares, 0)

    def take(self, count: int, step: int = 0) -> list[Problem]:
        """The next `count` problems, all different, in the order in which their sources were chosen."""
        chosen = self._choose_sources(count)
        taken = {
            name: iter(cursor.take(chosen.count(name), step))
            for name, cursor in self._cursors.items()
            if name in chosen
        }
        return [next(taken[name]) for name in chosen]

    def observe(self, outcomes: Sequence[ProblemOutcome]) -> None:
        """Hand each source the outcomes of its problems."""
        for name, cursor in self._cursors.items():
            cursor.observe([one for one in outcomes if one.problem.source == name])

    def readings(self) -> dict[str, float]:
        """Those of the sources, each under its name."""
        return {
            f"{metric}/{name}": value
            for name, cursor in self._cursors.items()
            for metric, value in cursor.readings().items()
        }

    def state_dict(self) -> dict[str, Any]:
        """How many were drawn of each source, and where each is."""
        cursors = {name: cursor.state_dict() for name, cursor in self._cursors.items()}
        return {"drawn": dict(self._drawn), "sources": cursors}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken, on the same sources."""
        self._drawn = {name: int(state["drawn"][name]) for name in self._cursors}
        for name, cursor in self._cursors.items():
            cursor.load_state_dict(state["sources"][name])

    def begin_anew(self, state: Mapping[str, Any], changed: Collection[str] = ()) -> dict[str, Any]:
        """`state` with the sources that changed at a new start; those that did not stay where they are."""
        held = state.get("sources", {})
        fresh = self.state_dict()["sources"]
        found = {
            name: fresh[name]
            if name not in held
            else cursor.begin_anew(held[name])
            if name in changed
            else dict(held[name])
            for name, cursor in self._cursors.items()
        }
        drawn = state.get("drawn", {}) if held.keys() == fresh.keys() else {}  # other shares: counted from here
        return {"drawn": {name: int(drawn.get(name, 0)) for name in found}, "sources": found}

    def _choose_sources(self, count: int) -> list[str]:
        """The source of each of the next problems."""
        chosen: list[str] = []
        for _ in range(count):
            left = [name for name, size in self._sizes.items() if size is None or chosen.count(name) < size]
            if not left:
                held = sum(size or 0 for size in self._sizes.values())
                problem = f"is more than the {held} problems of all sources."
                raise UserError("rollout.prompts", count, problem, f"Use rollout.prompts={held} or less.")
            number = sum(self._drawn.values()) + 1
            name = max(left, key=lambda one: self._shares[one] * number - self._drawn[one])
            chosen.append(name)
            self._drawn[name] += 1
        return chosen
