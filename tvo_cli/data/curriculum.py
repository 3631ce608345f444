"""What draws the problems of a run: `curriculum` of a config, over one data set or over each source of a mixture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tvo_cli.data.cursor import Cursor, ProblemCursor
from tvo_cli.data.level_curriculum import LevelCursor, stages_of
from tvo_cli.data.mixture import Mixture
from tvo_cli.data.mixture_cursor import MixtureCursor
from tvo_cli.data.pass_rate_curriculum import PassRateCursor, PassRateLaw
from tvo_cli.data.problems import Problems
from tvo_cli.data.random_stream import stable_hash
from tvo_cli.errors import UserError

KINDS = ("none", "levels", "pass_rate")


def build_cursor(problems: Problems, seed: int, curriculum: Mapping[str, Any]) -> ProblemCursor:
    """The cursor of a run; of a mixture one that chooses sources, and one inside each source.

    A source's seed follows from `seed` and its name: by one seed, sources of one size would be in one order, and
    problem i of one would always meet problem i of the other.
    """
    if not isinstance(problems, Mixture):
        return _cursor_of_problems(problems, seed, curriculum)

    def inside(source: Problems) -> ProblemCursor:
        return _cursor_of_problems(source, stable_hash("source", seed, source.name), curriculum)

    return MixtureCursor(problems, inside)


def check_curriculum(problems: Problems, seed: int, curriculum: Mapping[str, Any]) -> None:
    """Refuse a curriculum that the problems of a run cannot follow; those of a mixture source by source.

    Raises:
        UserError: its stages do not begin at step 0 and rise, or no problem has the level of a stage.
    """

    def checked(found: Problems) -> ProblemCursor:
        cursor = _cursor_of_problems(found, seed, curriculum)
        if isinstance(cursor, LevelCursor):
            cursor.check_stages()
        return cursor

    _ = MixtureCursor(problems, checked) if isinstance(problems, Mixture) else checked(problems)


def _cursor_of_problems(problems: Problems, seed: int, curriculum: Mapping[str, Any]) -> ProblemCursor:
    match curriculum["kind"]:
        case "none":
            return Cursor(problems, seed=seed, shuffle=True)
        case "levels":
            return LevelCursor(problems, seed, stages_of(curriculum))
        case "pass_rate":
            return PassRateCursor(problems, seed, PassRateLaw.of(curriculum))
    raise UserError("curriculum.kind", curriculum["kind"], "is no curriculum.", f"Choose {', '.join(KINDS)}.")
