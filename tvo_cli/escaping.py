"""What others wrote (names, problems, completions, messages), made safe for the place where it is shown.

Nothing in it is obeyed: no control or escape sequence by a terminal, no markup by Markdown, LaTeX, HTML or a figure.
"""

from __future__ import annotations

import html as hypertext
import re
import unicodedata
from collections.abc import Sequence

JOINERS = "\u200c\u200d"  # between letters of Persian and inside emoji: they move and hide nothing
UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, formats (bidi), halves of pairs, line and paragraph ends
SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def terminal(text: object) -> str:
    """One line in which every control, bidi or invisible character is shown as an escape: ESC as `\\x1b`."""
    return "".join(map(_seen, str(text)))


def lines(text: object) -> str:
    """The same for text of several lines: line breaks and tabs stay."""
    return "".join(character if character in "\n\t" else _seen(character) for character in str(text))


def _seen(character: str) -> str:
    if character in JOINERS or unicodedata.category(character) not in UNSEEN:
        return character
    return SHORT.get(character) or character.encode("unicode_escape").decode("ascii")


# ---------------------------------------------------------------- Markdown

MARKS = str.maketrans({character: "\\" + character for character in "\\|<`*_~#&$"})
LINKS = re.compile(r"\](?=[(\[:])|(?<=\w):(?=//)|(?<=mailto):|(?<=xmpp):|(?<=www)\.", re.IGNORECASE)
BLOCKS = re.compile(r"^(?:>|[-+=](?=[-+=\s]|$)|\[(?=[ xX]\])|\d+(?=[.)](?:\s|$)))")


def markdown(text: object) -> str:
    """One line of plain text in a paragraph, a list item or a table's cell: no markup, HTML, link or block."""
    flat = LINKS.sub(lambda found: "\\" + found.group(), terminal(text).strip().translate(MARKS))
    opening = BLOCKS.match(flat)
    if opening is None:
        return flat
    at = opening.end() if opening.group()[0].isdigit() else 0
    return f"{flat[:at]}\\{flat[at:]}"


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table in pipes."""
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
    """Plain text for any LaTeX engine, pdflatex without packages too; a letter that it lacks stands as its number."""
    shown = unicodedata.normalize("NFC", terminal(text))
    pairs = zip(shown, shown[1:] + " ")
    found = "".join(_letter(one) + ("{}" if one == after and one in LIGATURES else "") for one, after in pairs)
    return "{}" + found if found[:1] in ("[", "*") else found  # after the end of a row either is its argument


def _letter(character: str) -> str:
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
    """Text of a page or of a quoted attribute; line breaks stay, invisible characters are shown."""
    return hypertext.escape(lines(text))


def figure(text: object) -> str:
    """A label of matplotlib: `$` begins no formula, and a leading underscore does not take it out of the legend."""
    shown = terminal(text).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown
