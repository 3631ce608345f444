"""Escaping of text from outside (names, problems, completions, messages) for the place where it is shown.

Nothing in it is obeyed: no control or escape sequence by a terminal, no markup by Markdown, LaTeX, HTML or a figure.
"""

from __future__ import annotations

import html as hypertext
import re
import unicodedata
from collections.abc import Sequence

VISIBLE_JOINERS = "\u200c\u200d"  # between letters of Persian and inside emoji: they move and hide nothing
INVISIBLE_CATEGORIES = (
    "Cc",
    "Cf",
    "Cs",
    "Zl",
    "Zp",
)  # controls, formats (bidi), halves of pairs, line and paragraph ends
SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def terminal(text: object) -> str:
    r"""Escape text for one line of a terminal: control, bidi and invisible characters are shown, ESC as `\x1b`."""
    return "".join(map(_escape_invisible, str(text)))


def lines(text: object) -> str:
    """Escape text of several lines for a terminal: line breaks and tabs stay."""
    return "".join(character if character in "\n\t" else _escape_invisible(character) for character in str(text))


def _escape_invisible(character: str) -> str:
    """Return a character, or its escape where it is invisible or a control."""
    if character in VISIBLE_JOINERS or unicodedata.category(character) not in INVISIBLE_CATEGORIES:
        return character
    return SHORT.get(character) or character.encode("unicode_escape").decode("ascii")


# ---------------------------------------------------------------- Markdown

MARKS = str.maketrans({character: "\\" + character for character in "\\|<`*_~#&$"})
LINKS = re.compile(r"\](?=[(\[:])|(?<=\w):(?=//)|(?<=mailto):|(?<=xmpp):|(?<=www)\.", re.IGNORECASE)
BLOCKS = re.compile(r"^(?:>|[-+=](?=[-+=\s]|$)|\[(?=[ xX]\])|\d+(?=[.)](?:\s|$)))")


def markdown(text: object) -> str:
    """Escape text for a paragraph, list item or table cell of Markdown: no markup, HTML, link or block."""
    flat = LINKS.sub(lambda found: "\\" + found.group(), terminal(text).strip().translate(MARKS))
    opening = BLOCKS.match(flat)
    if opening is None:
        return flat
    at = opening.end() if opening.group()[0].isdigit() else 0
    return f"{flat[:at]}\\{flat[at:]}"


def escaped_markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table whose cells are escaped."""
    escaped = [[markdown(cell) for cell in cells] for cells in (headings, *rows)]
    return ["| " + " | ".join(cells) + " |" for cells in (escaped[0], ["---"] * len(headings), *escaped[1:])]


# ---------------------------------------------------------------- LaTeX

ACCENTS = dict(
    zip("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0323\u0327\u0331", "`'^~=u.\"rHvdcb")
)
GREEK = {
    **{"Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Φ": "Phi"},
    **{"Ψ": "Psi", "Ω": "Omega", "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon"},
    **{"ζ": "zeta", "η": "eta", "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu"},
    **{"ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau", "υ": "upsilon", "φ": "varphi", "χ": "chi"},
    **{"ψ": "psi", "ω": "omega", "ϵ": "epsilon", "ϑ": "vartheta", "ϕ": "phi", "µ": "mu"},
}
MATHS = {
    **{"±": "pm", "×": "times", "÷": "div", "·": "cdot", "∞": "infty", "√": "surd", "≤": "le", "≥": "ge", "≠": "ne"},
    **{"≈": "approx", "→": "to", "←": "leftarrow", "↔": "leftrightarrow", "↑": "uparrow", "↓": "downarrow"},
    **{"†": "dagger", "‡": "ddagger", "∈": "in", "∇": "nabla", "∂": "partial", "∑": "sum", "∏": "prod", "∫": "int"},
    **{"¬": "neg", "⇒": "Rightarrow", "⟨": "langle", "⟩": "rangle", "•": "bullet", "°": "circ", "∅": "emptyset"},
    **{"○": "circ", "▴": "triangle", "▾": "bigtriangledown"},
    **GREEK,
}
TEXTS = {
    "\\": r"\textbackslash{}",
    **{character: "\\" + character for character in "&%$#_{}"},
    **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "|": "$|$"},
    **{'"': r"\char34{}", "`": r"\char96{}", "−": "$-$", "…": r"\dots{}", "⚠": "", "—": "---", "–": "--"},
    **{"«": "``", "»": "''", "“": "``", "”": "''", "‘": "`", "’": "'", "\xa0": "~", "ß": r"\ss{}", "æ": r"\ae{}"},
    **{"Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}", "ł": r"\l{}", "Ł": r"\L{}"},
    **{"ı": r"\i{}", "§": r"\S{}", "¶": r"\P{}", "©": r"\copyright{}", "£": r"\pounds{}", "¡": "!`", "¿": "?`"},
    **{character: f"$\\{name}$" for character, name in MATHS.items()},
    "°": r"$^{\circ}$",
    **{superscript: f"$^{digit}$" for digit, superscript in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{subscript: f"$_{digit}$" for digit, subscript in enumerate("₀₁₂₃₄₅₆₇₈₉")},
}
LIGATURES = "-',"  # twice, they would become another character


def latex(text: object) -> str:
    """Escape text for any LaTeX engine, pdflatex without packages too; an unknown letter is shown as its number."""
    shown = unicodedata.normalize("NFC", terminal(text))
    pairs = zip(shown, shown[1:] + " ")
    found = "".join(
        _escape_latex_character(one) + ("{}" if one == after and one in LIGATURES else "") for one, after in pairs
    )
    return "{}" + found if found[:1] in ("[", "*") else found  # after the end of a row either is its argument


def _escape_latex_character(character: str) -> str:
    """Return the LaTeX of one character."""
    if character in TEXTS:
        return TEXTS[character]
    if character.isascii():
        return character
    letter, *accents = list(unicodedata.normalize("NFD", character))
    if not accents or not letter.isascii() or any(accent not in ACCENTS for accent in accents):
        return f"[U+{ord(character):04X}]"
    for accent in accents:
        letter = f"\\{ACCENTS[accent]}{{{letter}}}"
    return letter


# ---------------------------------------------------------------- HTML and figures


def html(text: object) -> str:
    """Escape text for an HTML page or a quoted attribute; line breaks stay, invisible characters are shown."""
    return hypertext.escape(lines(text))


def figure(text: object) -> str:
    """Escape text for a label of matplotlib: `$` begins no formula, a leading `_` hides no legend entry."""
    shown = terminal(text).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown
