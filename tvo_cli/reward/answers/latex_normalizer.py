r"""One spelling of a LaTeX answer, from its tokens: `\dfrac12` and `\mathbf{1 \over 2}` are `\frac{1}{2}`.

Braces stay where they bound an argument, fonts and sizes go, words stand in `\text{}` and nothing else does.
Malformed text keeps its stray braces, so that it equals nothing.
"""

from __future__ import annotations

import re

from tvo_cli.reward.answers import words_or_mathematics
from tvo_cli.reward.answers.latex_macros import (
    COLOURS,
    FRACTIONS,
    IGNORED,
    INFIX,
    MATH_FONTS,
    NAMES,
    ONE_ARGUMENT,
    SPACED_ARGUMENT,
    SPACES,
    SYMBOLS,
    TEXT_FONTS,
)

TOKEN = re.compile(rf"\\[A-Za-z]+\*?|\\.|{words_or_mathematics.OTHER_WORD}|[A-Za-z]+|\s+|.", re.DOTALL)
DEEPEST = 60  # nested groups and arguments; beyond, braces are taken as they stand
SPACE, THIN = " ", "\ue000"  # THIN: {,} and ,\! between the thousands of a number
DEGREE = "^\\circ "


def normalize_latex(source: str) -> str:
    """The tokens of the source in one spelling."""
    return _LatexNormalizer(source).all()


def join_latex(pieces: list[str]) -> str:
    """The pieces side by side, a command kept apart from a letter that follows."""
    text = ""
    for piece in pieces:
        apart = piece[:1].isalpha() and re.search(r"\\[A-Za-z]+$", text[-24:])
        text += f" {piece}" if apart else piece
    return text


def _matching_braces(tokens: list[str]) -> dict[int, int]:
    """For the tokens of a LaTeX answer, where each brace that closes is closed."""
    pairs: dict[int, int] = {}
    waiting: list[int] = []
    for i, token in enumerate(tokens):
        if token == "{":
            waiting.append(i)
        elif token == "}" and waiting:
            pairs[waiting.pop()] = i
    return pairs


class _LatexNormalizer:
    """Recursive descent over the tokens of one text."""

    def __init__(self, source: str, depth: int = 0) -> None:
        self.tokens = TOKEN.findall(source)
        self.closing = _matching_braces(self.tokens)
        self.at = 0
        self.depth = depth

    def all(self) -> str:
        """Everything, stray closing braces included."""
        pieces = []
        while self.at < len(self.tokens):
            pieces.append(self.sequence())
            if self.at < len(self.tokens):
                pieces.append(self._next())
        return join_latex(pieces)

    def sequence(self) -> str:
        """Up to the closing brace of this group, which is left to the caller."""
        pieces: list[str] = []
        while self.at < len(self.tokens) and self.tokens[self.at] != "}":
            token = self._next()
            if token in INFIX and self._shallow():
                self.depth += 1
                above, pieces = join_latex(pieces).strip(), []
                pieces.append(rf"\{INFIX[token]}{{{above}}}{{{self.sequence().strip()}}}")
                self.depth -= 1
            else:
                pieces.append(self._spell(token))
        return join_latex(pieces)

    def _next(self) -> str:
        token: str = self.tokens[self.at]
        self.at += 1
        return token

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _shallow(self) -> bool:
        return self.depth < DEEPEST

    def _spell(self, token: str) -> str:
        if token == "{":
            return self._group()
        if token in "^_":
            return self._script(token)
        if token[0] == "\\":
            return self._command(token[1:].rstrip("*") or token[1:])
        if token.isspace() or token == "~":
            return SPACE
        if token == "$":
            return ""
        if token == "," and self._thin():
            return THIN
        is_letters = token.isalpha() and (token.isascii() or len(token) > 1)
        return words_or_mathematics.spell_bare_letters(token, self.tokens, self.at) if is_letters else token

    def _thin(self) -> bool:
        r"""Whether \! follows the comma: 1,\! 000 is one number."""
        ahead = [token for token in self.tokens[self.at : self.at + 3] if not token.isspace()]
        if ahead[:1] != ["\\!"]:
            return False
        while self._peek().isspace() or self._peek() == "\\!":
            self.at += 1
        return True

    def _parts_thousands(self) -> bool:
        r"""Whether \, stands between a digit and three digits."""
        before, ahead = self.tokens[self.at - 2 : self.at - 1], self.tokens[self.at : self.at + 4]
        digits = [token.isdecimal() for token in ahead]
        return bool(before) and before[0].isdecimal() and digits[:3] == [True] * 3 and digits[3:] != [True]

    def _group(self) -> str:
        """{…} without its braces; {,} and {:} join what they stand between."""
        if self.tokens[self.at : self.at + 2] == [",", "}"]:
            self.at += 2
            return THIN
        inner = self._inside()
        return "{" if inner is None else inner

    def _inside(self) -> str | None:
        """The rest of the group that was just opened; None where it never closes."""
        end = self.closing.get(self.at - 1)
        if end is None or not self._shallow():
            return None
        self.depth += 1
        inner = self.sequence()
        self.depth -= 1
        self.at = end + 1
        return inner

    def _argument(self) -> str | None:
        r"""The next group, command or character: \frac12 and \frac a b have two; None where there is none."""
        while self._peek().isspace():
            self.at += 1
        if not self._peek() or self._peek() == "}" or not self._shallow():
            return None
        token = self._next()
        if token == "{":
            return self._braced()
        if len(token) > 1 and token[0] != "\\":  # a run of letters: the first is the argument
            self.at -= 1
            token, self.tokens[self.at] = token[0], token[1:]
        self.depth += 1
        said = self._spell(token)
        self.depth -= 1
        return said

    def _braced(self) -> str | None:
        inner = self._inside()
        if inner is None:
            self.at -= 1
        return inner

    def _script(self, mark: str) -> str:
        negative = mark == "^" and self._peek() == "-"  # 10^-5, as plain text has it
        self.at += negative
        said = self._digits() if negative else self._argument()
        said = f"-{said or ''}" if negative else said
        if said is None:
            return mark
        said = said.strip()
        if mark == "^" and said in ("\\circ", DEGREE.strip(), "^\\circ"):
            return DEGREE
        if mark == "^" and set(said) == {"'"}:
            return said
        return f"{mark}{{{said}}}"

    def _skipped(self) -> str:
        """The next token that is no space."""
        while self._peek().isspace():
            self.at += 1
        return self._peek()

    def _digits(self) -> str:
        start = self.at
        while self._peek().isdecimal():
            self.at += 1
        return "".join(self.tokens[start : self.at]) or self._argument() or ""

    def _command(self, name: str) -> str:
        if name in IGNORED:
            if self._peek() == "." and name in ("left", "right"):
                self.at += 1
            return ""
        if name in SPACES:
            return THIN if name == "," and self._parts_thousands() else SPACE
        if name in SPACED_ARGUMENT:
            return SPACE if self._argument() is not None else ""
        if name in TEXT_FONTS:
            return self._text(name)
        if name == "textsuperscript":
            return self._script("^")
        return self._mathematics(name)

    def _mathematics(self, name: str) -> str:
        if name in FRACTIONS:
            return self._arguments(FRACTIONS[name], 2)
        if name in MATH_FONTS:
            return self._argument() or ""
        if name in COLOURS:
            return self._colour()
        if name == "pmod" and self._skipped().isdecimal():
            return rf"\pmod{{{self._digits()}}}"
        if name in ONE_ARGUMENT:
            return self._root() if name == "sqrt" else self._arguments(name, 1)
        if name in ("begin", "end"):
            return self._environment(name)
        return self._symbol(NAMES.get(name, name))

    def _symbol(self, name: str) -> str:
        if name in ("(", ")", "[", "]") and self.tokens[self.at - 1] == f"\\{name}":
            return ""  # a delimiter of mathematics, not a bracket
        if name in SYMBOLS:
            return name
        if name == "deg" and self._peek() != "(":
            return DEGREE
        return "\\\\ " if name == "\\" else f"\\{name}"

    def _arguments(self, name: str, count: int) -> str:
        said = rf"\{name}"
        for _ in range(count):
            argument = self._argument()
            if argument is None:
                return said
            said += f"{{{argument.strip()}}}"
        return said

    def _root(self) -> str:
        index = ""
        while self._peek().isspace():
            self.at += 1
        if self._peek() == "[" and "]" in self.tokens[self.at : self.at + 12]:
            end = self.tokens.index("]", self.at)
            index = "".join(self.tokens[self.at : end + 1]).replace(" ", "")
            self.at = end + 1
        return self._arguments(f"sqrt{'' if index == '[2]' else index}", 1)

    def _colour(self) -> str:
        r"""\textcolor{red}{x}, \color{red}{x} and \color{red} x are x."""
        self._argument()
        return ""

    def _environment(self, name: str) -> str:
        kind = "".join(self._raw()).replace("array", "matrix").rstrip("*")
        if name == "begin" and self._peek() == "{" and "matrix" in kind:
            self._raw()  # the columns of an array
        return rf"\{name}{{{kind}}}"

    def _raw(self) -> list[str]:
        """The tokens of the next group as they stand."""
        end = self.closing.get(self.at)
        if end is None:
            return []
        inner = self.tokens[self.at + 1 : end]
        self.at = end + 1
        return inner

    def _text(self, font: str) -> str:
        while self._peek().isspace():
            self.at += 1
        if self._peek() != "{" or not self._shallow():
            argument = self._argument()
            return "" if argument is None else argument
        before = "".join(self.tokens[max(0, self.at - 4) : self.at - 1]).rstrip("\\,;~ ")
        start = self.at
        content = "".join(self._raw())
        if self.at == start:
            return "\\text"
        return self._words(content, font, before)

    def _words(self, content: str, font: str, before: str) -> str:
        pieces = []
        for is_words, part in words_or_mathematics.split_words_and_mathematics(content, font, before):
            if is_words:
                pieces.append(words_or_mathematics.text_command(part))
            elif part:
                pieces.append(_LatexNormalizer(part, self.depth + 1).all())
        return join_latex(pieces)
