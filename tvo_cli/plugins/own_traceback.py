"""Which lines of own code an error went through: those in the files that own code was loaded from, and no others."""

from __future__ import annotations

import traceback
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple


class OwnCodeLine(NamedTuple):
    """A line of own code, and the function it is in."""

    path: Path
    number: int
    function: str


def own_code_lines(error: BaseException, files: Collection[Path]) -> list[OwnCodeLine]:
    """The lines in `files` that an error went through, the outermost first; what does not parse is at its own line."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).resolve() in files:
        return [OwnCodeLine(Path(error.filename).resolve(), error.lineno or 0, "")]
    walked = traceback.walk_tb(error.__traceback__) if files else ()
    places = (OwnCodeLine(Path(frame.f_code.co_filename).resolve(), n, frame.f_code.co_qualname) for frame, n in walked)
    return [one for one in places if one.path in files]
