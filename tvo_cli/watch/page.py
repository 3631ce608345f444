"""The page of `tvo watch`: one HTML file with its style and script inside, and the policy that lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from pathlib import Path

from tvo_cli.tracking.metric_names import METRICS
from tvo_cli.tracking.panels import read_panels

HERE = Path(__file__).parent
SCRIPTS = ("chart.js", "page.js")


def page_as_html() -> bytes:
    """Return the page."""
    text = (HERE / "page.html").read_text(encoding="utf-8")
    filled = {"{{style}}": _page_style(), "{{script}}": _script(), "{{settings}}": html.escape(_page_settings())}
    for place, content in filled.items():
        text = text.replace(place, content)
    return text.encode("utf-8")


def content_security_policy() -> str:
    """Return the page's policy: its own style and script by their digests, and answers of this server."""
    return (
        f"default-src 'none'; script-src '{_csp_digest(_script())}'; style-src '{_csp_digest(_page_style())}'; "
        "connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _page_settings() -> str:
    """Return what the page knows of the metrics: the panels to begin with, and unit and meaning of each."""
    panels = [
        {"title": section.title, "panels": [{"metrics": panel.metrics, "log": panel.log} for panel in section.panels]}
        for section in read_panels()
    ]
    return json.dumps({"sections": panels, "about": {one.name: [one.unit, one.meaning] for one in METRICS}})


def _page_style() -> str:
    return (HERE / "page.css").read_text(encoding="utf-8")


def _script() -> str:
    """The page's script: its files joined."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)


def _csp_digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
