r"""Symbols for what the algebra would misread: E_1, f'(x) and \gcd(a,b) become letters of their own.

latex2sympy takes E for Euler's number, drops primes, and works gcd and lcm of letters out to a constant.
"""

from __future__ import annotations

import re

from tvo_cli.reward.answers.answer_structure import split_at_joins

FRESH = r"\omega_{{{number}}}"
FIRST = 9001
SUBSCRIPTED_E = re.compile(r"(?<![A-Za-z\\])[eE]_\{[^{}]*\}'*")
PRIMED = re.compile(r"[A-Za-z](?:_\{[^{}]*\})?'+(?:\(([^()]*)\))?")
CALLED = re.compile(r"\\(gcd|lcm|deg|dim|det|ker|arg|max|min|Pr)(?![a-zA-Z])\s*\(((?:[^()]|\([^()]*\))*)\)")
COLLAPSING = re.compile(r"\\(?:gcd|lcm)(?![a-zA-Z]).*[A-Za-z]", re.DOTALL)  # what is left of them in another form
UNORDERED = frozenset(("gcd", "lcm", "max", "min"))


def rename_opaque_terms(gold: str, answer: str) -> tuple[str, str]:
    """Both texts with the same fresh symbol for the same opaque term."""
    symbols: dict[str, str] = {}

    def symbol(term: str) -> str:
        return symbols.setdefault(term, FRESH.format(number=FIRST + len(symbols)))

    def call(found: re.Match[str]) -> str:
        arguments = split_at_joins(found[2]).parts
        if not re.search(r"[A-Za-z]", found[2]):
            return found[0]
        ordered = sorted(arguments) if found[1] in UNORDERED else arguments
        return symbol(f"{found[1]}({','.join(ordered)})")

    def one(text: str) -> str:
        while (inner := CALLED.sub(call, text)) != text:  # the innermost first: gcd(gcd(a, b), c)
            text = inner
        if COLLAPSING.search(text):
            return symbol(text)
        text = PRIMED.sub(lambda found: symbol(found[0]), text)
        return SUBSCRIPTED_E.sub(lambda found: symbol(found[0]), text)

    return one(gold), one(answer)
