"""A ```mermaid block of a page becomes a picture when the site is built: the reader's browser loads nothing."""

from __future__ import annotations

import hashlib
import re
from html import escape
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from sphinx.util.logging import getLogger

if TYPE_CHECKING:
    from sphinx.application import Sphinx

LEAST = 0.4  # of a diagram's own width: below it the text is too small to read, and the diagram scrolls
WIDTH = re.compile(r"max-width: ([\d.]+)px")
log = getLogger(__name__)


class Diagram(SphinxDirective):
    """The block as SVG in the page; its text is the description for who cannot see it."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        text = "\n".join(self.content)
        try:
            picture = drawn(text)
        except Exception as error:  # whatever the library calls it: a diagram that cannot be drawn ends the build
            log.warning("this diagram cannot be drawn: %s", error, location=self.get_location())
            return [nodes.literal_block(text, text)]
        box = f'<div role="img" aria-label="{escape(text)}" style="overflow-x: auto">'
        return [nodes.raw("", f"{box}{picture}</div>", format="html")]


def drawn(text: str) -> str:
    """Return a diagram as SVG, its identifiers its own, so that several fit into one page."""
    import mermaidx

    name = f"diagram-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    picture = str(mermaidx.render(text).svg()).replace("my-svg", name)
    return WIDTH.sub(
        lambda width: f"{width.group()}; min-width: {LEAST * float(width.group(1)):.0f}px", picture, count=1
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("mermaid", Diagram)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
