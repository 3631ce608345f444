"""A figure's SVG inside of an HTML report: ids of its own, and colours by role, which dark mode changes."""

from __future__ import annotations

import re

from tvo_cli.escaping import html as escape

# Colours of the figures by role, so that dark mode can lighten them: light page, dark page.
ROLES = {
    "#0072b2": ("blue", "#0072b2", "#4da8e0"),
    "#d55e00": ("vermilion", "#d55e00", "#ff8a3d"),
    "#009e73": ("green", "#009e73", "#2bc79a"),
    "#cc79a7": ("purple", "#cc79a7", "#e39cc3"),
    "#e69f00": ("orange", "#e69f00", "#f0b633"),
    "#56b4e9": ("sky", "#56b4e9", "#8fd0f5"),
    "#000000": ("ink", "#1a1a1a", "#e8e8e8"),
    "#ffffff": ("paper", "#ffffff", "#16181c"),
    "#b0b0b0": ("grid", "#b0b0b0", "#6a6f78"),
}


def inline_svg(svg: str, prefix: str, title: str) -> str:
    """Return an SVG for inside the HTML page: ids of its own, colours by role, no XML head."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}-", svg)
    svg = re.sub(r'xlink:href="#', f'href="#{prefix}-', svg)
    svg = re.sub(r' xmlns(?::\w+)?="[^"]*"', "", svg)
    svg = re.sub(r"#[0-9a-f]{6}\b", lambda found: _html_colour(found.group()), svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1).rstrip()


def _html_colour(colour: str) -> str:
    """Return a figure's colour as a CSS variable of the HTML report, which dark mode changes."""
    return f"var(--{ROLES[colour][0]})" if colour in ROLES else colour


def colours_of_roles() -> str:
    """Return the CSS variables of the figures' colours, for a light page and a dark one."""
    light = "".join(f"--{name}:{colour};" for name, colour, _ in ROLES.values())
    dark = "".join(f"--{name}:{colour};" for name, _, colour in ROLES.values())
    return f":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
