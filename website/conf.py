"""Sphinx's settings: `make site` builds docs/ into outputs/site; docs/decisions/site.md says why Sphinx."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "tvo"
copyright = "the tvo contributors, Apache-2.0"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "drawn_diagrams",
    "plain_docstrings",
]
html_theme = "furo"
html_title = "tvo"
html_copy_source = False
html_show_sourcelink = False
templates_path: list[str] = []

myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_display_short_literal_types = True
python_use_unqualified_type_names = True

copybutton_prompt_text = "$ "
linkcheck_timeout = 20
linkcheck_retries = 2
linkcheck_anchors = False  # papers are PDF and abstract pages
