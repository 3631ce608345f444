"""A ```mermaid block of a page becomes the picture drawn from it: nothing is loaded from another server.

`make diagrams` draws docs/pictures/diagram-<digest>.svg, the digest that of the block's text; a block without its
picture is a warning, and warnings end the build.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from picture_names import picture_of
from sphinx.util.docutils import SphinxDirective
from sphinx.util.logging import getLogger

if TYPE_CHECKING:
    from sphinx.application import Sphinx

log = getLogger(__name__)


class Diagram(SphinxDirective):
    """The picture of a block; its text is the description for who cannot see it."""

    has_content = True
    option_spec: ClassVar = {"name": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        text = "\n".join(self.content)
        picture = picture_of(text)
        if not picture.exists():
            log.warning("no picture %s of this diagram: make diagrams", picture.name, location=self.get_location())
            return [nodes.literal_block(text, text)]
        return [nodes.image(uri=f"/pictures/{picture.name}", alt=text)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("mermaid", Diagram)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
