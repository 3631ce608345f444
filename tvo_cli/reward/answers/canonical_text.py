r"""The canonical text of an answer: one spelling of LaTeX (latex_normalizer.py), then of numbers, money and spaces."""

from __future__ import annotations

import re
from functools import lru_cache

from tvo_cli.reward.answers.latex_normalizer import THIN, normalize_latex
from tvo_cli.reward.answers.number_words import expand_number_scale
from tvo_cli.reward.answers.unicode_to_latex import unicode_to_latex
from tvo_cli.reward.answers.words_or_mathematics import GAP

LONGEST = 2000  # characters of an answer
WRAPPED = re.compile(r"^\s*(\*\*|\*|__|`+|''|'|\")(?!\s)(.+?)(?<!\s)(\1|'')\s*$", re.DOTALL)
SPACE = re.compile(r"\s+(?![A-Za-z0-9])|(?<![A-Za-z0-9\\])\s+")
THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d|,\d)", re.ASCII)
SURE_THOUSANDS = re.compile(rf"(?<![\d.]){THIN}?\d{{1,3}}(?:{THIN}\d{{3}})+(?!\d)", re.ASCII)
SPACED_THOUSANDS = re.compile(r"(?<![\d.,/}] )(?<![\d.,/}])[1-9]\d{0,2}(?: \d{3})+(?! ?[\d/])(?!,\d|\\frac)", re.ASCII)
MONEY = re.compile(
    r"\\\$\s*(-?(?:\d+\s*\\frac\{\d+\}\{\d+\}|[\d.,]*\d(?:\s*\\(?:times|cdot) ?10\^\{\d+\})?"
    r"|\\frac\{[\d.]+\}\{[\d.]+\}))"
)
MONEY_BEHIND = re.compile(r"(?<=[\d}])\s*\\\$(?!\d)")
ANGLE = r"\((?:[^()]|\([^()]*\))*\)|\\frac\{[^{}]*\}\{[^{}]*\}|\d+(?:\.\d+)?(?:\^\\circ ?)?|\\[a-z]+"
PLAIN_POWER = re.compile(r"(?<=[A-Za-z)])\*\*(?=\d)")
PLAIN_ROOT = re.compile(r"(?<![\\A-Za-z])sqrt(?=\{)")
SWISS = re.compile(r"-?\d{1,3}(?:'\d{3})+", re.ASCII)  # 1'234'567
REWRITES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:bar|overline)\{(\d+)\}", r"\\overline{\1}"),
        (r"(\.\d*)\\dot\{(\d)\}(?:(\d*)\\dot\{(\d)\})?", r"\1\\overline{\2\3\4}"),
        (r"(?<=\\overline\{\d)\}\\overline\{(?=\d\})", ""),
        (r"(?<![\w.])(\d+\.\d*)\((\d+)\)$", r"\1\\overline{\2}"),
        (r"\\\{\s*\\\}", r"\\emptyset "),
        (r"(\\text\{[^{}]*)\}\s?/\s?(s|h|m|L|g)(?![A-Za-z])", r"\1/\2}"),
        (r"\\mu\s?\\text\{", r"\\text{µ"),
        (r"(?<=\d)\s?\\Omega\s*$", r"\\text{Ω}"),
        (r"^(?:\\text\{USD\}|USD )\s*([\d.]+)$", r"\1\\text{dollars}"),
        (r"^(?:\\text\{(?:Rs)\.?\}|Rs\.)\s*([\d.]+)$", r"\1\\text{rupees}"),
        (r"^\\text\{(euros|rupees|yen|gbp)\}\s*(\d[\d.,]*)$", r"\2\\text{\1}"),
        (r"(?<=\d)\s?¢", r"\\text{cents}"),
        (r"(?<=\d)\s*\\text\{([kMGm]?)\}\s*\\Omega$", r"\\text{\1Ω}"),
        (r"^(\d+)\s*(?:\\text\{[Rr]\.?\}| [Rr] ?)\s*(\d+)$", r"\1\\text{remainder}\2"),
        (r"^(\d+) out\s*\\text\{of\}\s*(\d+)$", rf"\1\\text{{out{GAP}of}}\2"),
        (r"(?<=\d)\\text\{[eE]\}\+?(?=-?\d)", "e"),
        (r"(?<=\d)([eE])(?: ([-+]) ?|([-+]) )(?=\d)", r"\\cdot \1\2\3"),
        (r"^(-?\d+(?:\.\d+)?)\s*[xX]\s*(?=10\^\{-?\d+\}$)", r"\1\\times "),
        (r"\\text\{(min|max)\}\s*(?=\()", r"\\\1"),
        (r"\\(min|max|gcd|lcm)(?:\\\{([^{}\\]*)\\\}|\[([^\[\]]*)\])", r"\\\1(\2\3)"),
        (r"(?<![\w}])[_^]\{(\w+)\}C_\{(\w+)\}", r"\\binom{\1}{\2}"),
        (rf"\\(?:text\{{cis\}}|cis(?![a-z]))\s*({ANGLE})", r"(\\cos(\1)+i\\sin(\1))"),
        (r"\\text\{ ?\((?:or|i\.e\.)\}(.+)\)$", r"\\text{or}\1"),
        (r"<=", r"\\le "),
        (r">=", r"\\ge "),
        (r"(^|\\cup ?|\\cap ?|\\in ?)\](\s*[^\[\]()]+[,;][^\[\]()]+)(?=[\[\]])", r"\1(\2"),
        (r"([\[(])([^\[\]()]+[,;][^\[\]()]+)\[(?=\s*(?:$|\\cup|\\cap))", r"\1\2)"),
        (r"_\{\\(min|max)\}", r"_{\1}"),
        (r"_\{\\text\{([A-Za-z]+)\}\}", r"_{\1}"),
        (r"^(\d{1,2}) ?([APap])\.?([Mm])\.?$", r"\1\\text{\2\3}"),
        (
            r"^\\text\{(?:for )?all(?: real(?: numbers?| values of)?)?\}\s*(?=[a-z]\s*(?:<|>|\\(?:le|ge|ne)(?![a-z])))",
            "",
        ),
        (r"^\\text\{US\}(?=[\d.]+\\text\{dollars\}$)", ""),
        (r"(?<=\d)\s?(?:∘|\^\{o\})$", r"^\\circ "),
        (r"(?<=\d)\^\\circ\s*([\d.]+)'\s*(?:([\d.]+)(?:''|\"))$", r"\\text{degrees}\1\\text{arcmin}\2\\text{arcsec}"),
        (r"(?<=\d)\^\\circ\s*([\d.]+)'$", r"\\text{degrees}\1\\text{arcmin}"),
        (r"^([\d.]+)'\s*([\d.]+)(?:''|\")$", r"\1\\text{feet}\2\\text{inches}"),
        (r"^([+-]?\d*\.\d*?)(?:(\d)\2{2,}|(\d{2,6}?)\3+)\\ldots ?$", r"\1\\overline{\2\3}"),
        (r"^\\text\{(?:[Mm]inus|[Nn]egative)\}\s*(?=\d)", "-"),
        (r"^(-?[\d.]+|-?\\frac\{\d+\}\{\d+\})\s?=\s?([A-Za-z])$", r"\2=\1"),
        (r"^\+(?=[\d\\.])", ""),
        (r"(?<=[(\[,])\s*\+(?=\\infty)", ""),
        (r"\\%|(?<=\d)%", r"\\%"),
        (r"(:\s?\d\d)\s*([AP])\.?\s?M\.?(?![A-Za-z])", r"\1\\text{\2M}"),
        (r"(:\s?\d\d)\s*([ap])\.?\s?m\.?(?![A-Za-z])", r"\1\\text{\2m}"),
    )
)
SYSTEM = re.compile(r"^\s*\\begin\{(?:cases|aligned|gathered|align\*?)\}(.*)\\end\{\w+\*?\}\s*$", re.DOTALL)
JOINED_WORDS = re.compile(r"\\text\{([^{}]*)\}\s*\\text\{(?=[^\W\d_])")


@lru_cache(maxsize=8192)
def canonical_text(text: str) -> str:
    """One spelling, without delimiters of mathematics, without spaces that carry no meaning."""
    text = PLAIN_ROOT.sub(
        r"\\sqrt",
        PLAIN_POWER.sub("^", _canonical_without_quotes_and_stars(unicode_to_latex(text[: LONGEST + 1]).strip())),
    )
    text = text.replace("'", "") if SWISS.fullmatch(text) else text
    text = _rewrite_canonically(_canonical_thousands(normalize_latex(text.replace("...", "\\ldots "))))
    text = re.sub(r"[.,;]+$", "", SPACE.sub("", re.sub(r"\s+", " ", text.strip()))).strip().replace(GAP, " ")
    return expand_number_scale(_canonical_without_quotes_and_stars(text))


def _canonical_without_quotes_and_stars(text: str) -> str:
    """Without quotes, stars and back-ticks round all of it."""
    found = WRAPPED.match(text)
    return found[2].strip() if found and found[1] not in found[2] else text


def _canonical_thousands(text: str) -> str:
    r"""1,024 is 1024, outside brackets; 1{,}024, 1,\!024 and, outside brackets, 1 024 everywhere."""
    text = SURE_THOUSANDS.sub(lambda found: found[0].replace(THIN, ""), text).replace(THIN, ",")
    text = THOUSANDS.sub(_canonical_digit_group, text)  # while "100, 200" still has the space that makes it a list
    return SPACED_THOUSANDS.sub(_canonical_digit_group, text)


def _canonical_digit_group(found: re.Match[str]) -> str:
    before = found.string[: found.start()]
    inside = sum(map(before.count, "([")) > sum(map(before.count, ")]")) or before.count("\\{") > before.count("\\}")
    return found[0] if inside else re.sub("[, ]", "", found[0])


def _rewrite_canonically(text: str) -> str:
    if "\\\\" in text and "matrix" not in text and "&" not in text:
        text = re.sub(r"\\\\\s*", ",", SYSTEM.sub(r"\1", text))  # a column of equations is a list
    text = MONEY.sub(r"\1\\text{dollars}", text)
    text = MONEY_BEHIND.sub(r"\\text{dollars}", text)
    for pattern, replacement in REWRITES:
        text = pattern.sub(replacement, text)
    while (words := JOINED_WORDS.sub(rf"\\text{{\1{GAP}", text)) != text:
        text = words
    return text


@lru_cache(maxsize=4096)
def canonical_question(question: str) -> str:
    """The question in the spelling of answers; G responses ask for the same one."""
    return canonical_text(question)
