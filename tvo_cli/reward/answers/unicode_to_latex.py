r"""Unicode mathematics as LaTeX: x² is x^{2}, √5 is \sqrt{5}, ≤ is \le, ﹣ is -.

NFKC is applied to single characters whose result is ASCII and no letter or digit, and to the full-width and
mathematical forms of letters and digits: （ is (, ３７１ is 371 and 𝑥 is x. Other characters stay: ³ is an exponent, ½
a fraction, and digits and letters of other scripts (٣, Cyrillic х) are no spelling of ASCII's. A letter and its accent
are one character however they are encoded, and what has no width is left off.
"""

from __future__ import annotations

import re
import unicodedata

COMMANDS = {
    **{"×": "times", "·": "cdot", "⋅": "cdot", "∙": "cdot", "∞": "infty", "≤": "le", "⩽": "le", "≦": "le", "≥": "ge"},
    **{"⩾": "ge", "≧": "ge", "≠": "ne", "≈": "approx", "≡": "equiv", "∪": "cup", "∩": "cap", "∈": "in", "±": "pm"},
    **{"∅": "emptyset", "∨": "lor", "∧": "land", "¬": "neg", "∖": "setminus", "∠": "angle", "√": "sqrt"},
    **{"∑": "sum", "∏": "prod", "∫": "int", "∂": "partial", "→": "to", "⇒": "Rightarrow", "…": "ldots"},
    **{"⋯": "ldots", "∣": "mid", "⟨": "langle", "⟩": "rangle", "⌊": "lfloor", "⌋": "rfloor", "⌈": "lceil"},
    **{"⌉": "rceil", "∼": "sim", "⊂": "subset", "⊆": "subseteq", "△": "triangle", "ℓ": "ell"},
}
PLAIN = {
    **dict.fromkeys("−–‐‑‒﹣", "-"),
    **dict.fromkeys("°º˚", "^\\circ "),
    **dict.fromkeys("\u00a0\u2009\u202f\u2002\u2003\u2005\u2006\u200a\u3000", " "),
    **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),  # of no width
    **dict.fromkeys("‘’‛′", "'"),
    **dict.fromkeys("“”‟", '"'),
    "″": "''",
    **{"÷": "/", "∕": "/", "⁄": "/", "。": ".", "、": ",", "∶": ":", "\u212b": "Å", "µ": "\\mu ", "μ": "\\mu "},
    **{"ℝ": "\\mathbb{R}", "ℤ": "\\mathbb{Z}", "ℕ": "\\mathbb{N}", "ℚ": "\\mathbb{Q}", "ℂ": "\\mathbb{C}"},
    **{"∛": "\\sqrt[3]", "∜": "\\sqrt[4]", "€": "\\text{euros}", "£": "\\text{gbp}"},
    **{"₹": "\\text{rupees}", "¥": "\\text{yen}", "℃": "^\\circ\\text{C}", "℉": "^\\circ\\text{F}"},
}
GREEK = "αβγδεζηθικλνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ"
SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱˣ", "0123456789+-()nix"))
SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₐₑₙₖₘᵢⱼₓ", "0123456789+-()aenkmijx"))
RAISED = re.compile(f"[{''.join(SUPERSCRIPTS)}]+")
LOWERED = re.compile(f"[{''.join(SUBSCRIPTS)}]+")
ROOT = re.compile(r"\\sqrt (\[\d\])?\s*(?:\(([^()]{1,80})\)|(\d+(?:\.\d+)?))")
CHINESE = re.compile("[\u4e00-\u9fff]+")
FORMS = (  # of ASCII's letters and digits
    *(range(0x1D400, 0x1D6A6), range(0x1D7CE, 0x1D800)),  # mathematical: 𝑥, 𝟏
    *(range(0xFF10, 0xFF1A), range(0xFF21, 0xFF3B), range(0xFF41, 0xFF5B)),  # full-width: １, Ａ, ａ
)
ACCENTED = re.compile("[^\u0300-\u036f][\u0300-\u036f]+")  # a letter, and accents that are characters by themselves


def unicode_to_latex(text: str) -> str:
    """The text in ASCII LaTeX where a character has one meaning; other characters stay as they are."""
    if text.isascii():
        return text
    text = ACCENTED.sub(lambda found: unicodedata.normalize("NFC", found[0]), text)
    text = RAISED.sub(lambda found: f"^{{{_map_characters(found[0], SUPERSCRIPTS)}}}", text)
    text = LOWERED.sub(lambda found: f"_{{{_map_characters(found[0], SUBSCRIPTS)}}}", text)
    text = ROOT.sub(_root_sign_to_sqrt, "".join(map(_character_to_latex, text)))
    return CHINESE.sub(r"\\text{\g<0>}", text)


def _map_characters(characters: str, table: dict[str, str]) -> str:
    return "".join(table[character] for character in characters)


def _root_sign_to_sqrt(found: re.Match[str]) -> str:
    r"""√12 and √(12) are \sqrt{12}."""
    return rf"\sqrt{found[1] or ''}{{{found[2] or found[3]}}}"


def _character_to_latex(character: str) -> str:
    if character.isascii():
        return character
    if character in PLAIN:
        return PLAIN[character]
    if character in COMMANDS:
        return f"\\{COMMANDS[character]} "
    if character in GREEK:
        return f"\\{_greek_letter_name(character)} "
    return _ascii_equivalent(character)


def _greek_letter_name(letter: str) -> str:
    name = unicodedata.name(letter).split()[-1].lower().replace("lamda", "lambda").replace("final", "")
    return name.capitalize() if letter.isupper() else name


def _ascii_equivalent(character: str) -> str:
    r"""Full-width and mathematical forms of ASCII's characters as these, ½ as \frac{1}{2}."""
    plain = unicodedata.normalize("NFKC", character)
    above, slash, below = plain.partition("\u2044")
    if slash:
        return rf"\frac{{{above}}}{{{below}}}"
    is_form = not plain.isalnum() or any(ord(character) in characters for characters in FORMS)
    if plain.isascii() and len(plain) == 1 and is_form:
        return "\\%" if plain == "%" else plain
    return character
