r"""One spelling for what means the same in LaTeX: `\dfrac` is `\frac`, `\left(` is `(`."""

from __future__ import annotations

import re

UNICODE = str.maketrans(
    {
        **{
            "−": "-",
            "–": "-",
            "×": "\\times ",
            "·": "\\cdot ",
            "÷": "/",
            "π": "\\pi ",
            "∞": "\\infty ",
            "°": "^\\circ ",
        },
        **{
            "≤": "\\le ",
            "≥": "\\ge ",
            "≠": "\\ne ",
            "≈": "\\approx ",
            "∪": "\\cup ",
            "∈": "\\in ",
            "±": "\\pm ",
        },
        **{"\u00a0": " ", "\u2009": " ", "\u202f": " ", "，": ",", "θ": "\\theta "},
    }
)
REWRITES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\(?:left|right|[bB]igg?[lr]?)(?![a-zA-Z])\s*\.?", ""),
        (r"\\(?:displaystyle|textstyle|limits|nolimits)(?![a-zA-Z])", ""),
        (
            r"\\(?:mathrm|mathbf|mathit|textbf|textit|textrm|textnormal|textsf|mbox|operatorname)\s*\{",
            r"\\text{",
        ),
        (r"\\(?:leq|leqslant)(?![a-zA-Z])", r"\\le "),
        (r"\\(?:geq|geqslant)(?![a-zA-Z])", r"\\ge "),
        (r"\\neq(?![a-zA-Z])", r"\\ne "),
        (r"\\(?:lbrace)(?![a-zA-Z])", r"\\{"),
        (r"\\(?:rbrace)(?![a-zA-Z])", r"\\}"),
        (r"(?<!\\)\\!", ""),
        (r"(?<=\d)(?:\\,|\{,\}|,\s?\{\})(?=\d{3}(?!\d))", ","),
        (r"\{,\}", ","),
        (r"(?<!\\)\\[,;: ]|~|\\q?quad(?![a-zA-Z])", " "),
        (r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\d)\s*\{", r"\\frac{\1}{"),
        (r"\\frac\s*(\{[^{}]*\})\s*(\d)", r"\\frac\1{\2}"),
        (r"\\sqrt\s*(\d)", r"\\sqrt{\1}"),
        (r"\\(?:deg|degree)(?![a-zA-Z])", r"^\\circ "),
        (r"\^\s*\{\s*\\circ\s*\}", r"^\\circ "),
        (r"\\text\s*\{\s*\}", ""),
        (r"\\varnothing(?![a-zA-Z])|\\\{\s*\\\}", r"\\emptyset "),
        (r"^\s*(?:\\text\s*)?\{\s*([+-]?[\d.,/ ]*\d)\s*\}\s*$", r"\1"),
        (r"\\\$\s*(?=[\d.])(.*)$", r"\1\\text{ dollars}"),
        (r"(?<!\\)\\[()\[\]]|(?<!\\)\$", ""),
        (r"\\\\(?:\[[^\]]*\])?\s*", r"\\\\ "),
        (r"^\+(?=[\d\\.])", ""),
        (r"(?<=[(\[,])\s*\+(?=\\infty)", ""),
    )
)
SPACE = re.compile(r"\s+(?![A-Za-z0-9])|(?<![A-Za-z0-9\\])\s+")
THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d|,\d)", re.ASCII)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
LONGEST = 2000  # characters of an answer
DEEPEST = 40  # nested brackets of an answer


def canonical(text: str) -> str:
    """One spelling, without delimiters of mathematics, without spaces that carry no meaning."""
    text = text[: LONGEST + 1].translate(UNICODE).strip()
    for pattern, replacement in REWRITES:
        text = pattern.sub(replacement, text)
    text = THOUSANDS.sub(_join, text)  # while "100, 200" still has the space that makes it a list
    return SPACE.sub("", re.sub(r"\s+", " ", text.strip())).rstrip(".,;").strip()


def _join(found: re.Match[str]) -> str:
    """1,024 is 1024, outside brackets; inside them the comma separates."""
    before = found.string[: found.start()]
    inside = sum(map(before.count, "([")) > sum(map(before.count, ")]")) or before.count("\\{") > before.count("\\}")
    return found.group() if inside else found.group().replace(",", "")


def defect(text: str) -> str:
    """Why a text cannot be an answer: "too long", "malformed"; "" when it may be judged."""
    if len(text) > LONGEST:
        return "too long"
    deep = lowest = deepest = 0
    for character in text:
        deep += (character in "([{") - (character in ")]}")
        lowest, deepest = min(lowest, deep), max(deepest, deep)
    return "malformed" if deepest > DEEPEST or -lowest > DEEPEST or CONTROL.search(text) else ""
