"""Docstrings are plain sentences with `code`: what reStructuredText would read as markup in them is escaped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CODE = re.compile(r"(`[^`]+`)")
MARKUP = re.compile(r"([|*_\\`])")
BEFORE_NAPOLEON = 400  # which reads `Args:` at 500


def as_rst(line: str) -> str:
    """Return a docstring's line as reStructuredText that shows it as it stands."""
    parts = CODE.split(line)
    return "".join(f"``{part[1:-1]}``" if CODE.fullmatch(part) else MARKUP.sub(r"\\\1", part) for part in parts)


def escape(app: object, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Escape the lines of a docstring, in place, as Sphinx's event wants it."""
    inline = what in ("property", "attribute")  # whose first line Napoleon reads as `type: text`, and an empty one not
    lines[:] = [*([""] if inline else ()), *map(as_rst, lines)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the escaping."""
    app.connect("autodoc-process-docstring", escape, priority=BEFORE_NAPOLEON)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
