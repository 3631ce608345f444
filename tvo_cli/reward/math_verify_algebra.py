"""Equality of two expressions, equations or inequalities by math-verify, in the grader's children."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from tvo_cli.reward.answers.opaque_symbols import rename_opaque_terms

CLOSE = 1e-12  # relative: numbers further apart than this differ, whatever rounding says
DIGITS = 30
DECIMAL = re.compile(r"(?<![\w.])(\d*)\.(\d+)(?:\\overline\{(\d+)\})?(?![\w.])", re.ASCII)
COMMAND = re.compile(r"\\[A-Za-z]+")
JUXTAPOSED = re.compile(r"\d\s+[\d.]", re.ASCII)  # latex2sympy reads "5 6" as 5 + 6
DEGREE = "\\circ"  # which latex2sympy drops: sin 20° would be sin 20
DEGREES = re.compile(r"(\d+(?:\.\d+)?|[A-Za-z]|\\[a-z]+)\s*\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![a-z]))")
TRIGONOMETRIC = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])")
FLIPPED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "==", "!=": "!="}


class GoldUnreadableByMathVerify(Exception):
    """math-verify cannot read the gold as algebra, so nothing can be said of the answer."""


def same_expression(gold: str, answer: str) -> bool:
    """Whether two canonical texts mean the same expression."""
    gold, answer = _radians_for_math_verify(gold), _radians_for_math_verify(answer)
    if JUXTAPOSED.search(answer) or _differs_in_letter_case(gold, answer) or (DEGREE in gold) != (DEGREE in answer):
        return False
    gold, answer = rename_opaque_terms(gold, answer)
    complex_ = _is_complex(gold) or _is_complex(answer)
    try:
        expected = _parse_gold(gold, complex_)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:
        raise GoldUnreadableByMathVerify(gold) from error
    try:
        said = _parse_latex(answer, complex_)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # the parser refuses with many kinds of error; what it cannot read is not the gold
        return False
    return _compare_expressions(expected, said)


def _radians_for_math_verify(text: str) -> str:
    r"""\tan 30^\circ as \tan(\frac{30\pi}{180}); degrees outside a function stay."""
    return DEGREES.sub(r"(\\frac{\1\\pi}{180})", text) if TRIGONOMETRIC.search(text) else text


@lru_cache(maxsize=4096)
def _parse_gold(gold: str, complex_: bool) -> Any:
    """Parsed golds are kept: a group asks for the same one G times."""
    return _parse_latex(gold, complex_)


def _parse_latex(text: str, complex_: bool) -> Any:
    """LaTeX to sympy by math-verify's own parser; decimals become exact fractions first."""
    from latex2sympy2_extended.latex2sympy2 import NormalizationConfig, latex2sympy, normalize_latex  # type: ignore[import-untyped]

    rules = NormalizationConfig(basic_latex=True, units=False, malformed_operators=True, nits=False, boxed="none")
    clean = normalize_latex(DECIMAL.sub(_decimal_as_fraction, text), config=rules)
    parsed = latex2sympy(clean, is_real=not complex_, convert_degrees=False, normalization_config=None)
    return _with_imaginary_unit(parsed) if complex_ else _evaluate_sums(parsed)


def _with_imaginary_unit(parsed: Any) -> Any:
    """The letter i as the imaginary unit, which exponentials and roots need to know."""
    from sympy import I  # type: ignore[import-untyped]

    letters = getattr(parsed, "free_symbols", ())
    return parsed.xreplace({letter: I for letter in letters if letter.name == "i"}).doit() if letters else parsed


def _evaluate_sums(parsed: Any) -> Any:
    """Sums and products in closed form, where there is one."""
    from sympy import Product, Sum

    return parsed.doit() if hasattr(parsed, "has") and parsed.has(Sum, Product) else parsed


def _decimal_as_fraction(found: re.Match[str]) -> str:
    whole, part, period = found[1] or "0", found[2], found[3]
    if period is None:
        return rf"\frac{{{int(whole + part)}}}{{{10 ** len(part)}}}"
    scale = 10 ** len(part)
    nines = 10 ** len(period) - 1
    return rf"\frac{{{int(whole + part) * nines + int(period)}}}{{{nines * scale}}}"


def _differs_in_letter_case(gold: str, answer: str) -> bool:
    """Whether the answer writes a for A; latex2sympy takes them for the same."""
    expected, said = (set(COMMAND.sub(" ", text)) for text in (gold, answer))
    return any(letter.swapcase() in expected for letter in said - expected if letter.isalpha())


def _is_complex(text: str) -> bool:
    from math_verify.grader import should_treat_as_complex

    return bool(should_treat_as_complex(text))


def _compare_expressions(gold: Any, said: Any) -> bool:
    from math_verify import verify
    from math_verify.grader import is_relation

    if is_relation(gold) and is_relation(said):
        return _same_relation(gold, said)
    if _numbers_differ(gold, said):
        return False
    return bool(
        verify(gold, said, timeout_seconds=None, raise_on_error=True, allow_set_relation_comp=is_relation(said))
    )


def _numbers_differ(gold: Any, said: Any) -> bool:
    """Whether two numbers differ relative to their size: math-verify drops everything below 1e-15."""
    if not (getattr(gold, "is_number", False) and getattr(said, "is_number", False)):
        return False
    if not (gold.is_finite and said.is_finite):
        return False
    left, right = gold.evalf(DIGITS), said.evalf(DIGITS)
    return bool(abs(left - right) > CLOSE * max(abs(left), abs(right)))


def _same_relation(gold: Any, said: Any) -> bool:
    """Equations equal up to a factor; inequalities also in direction.

    Not by solving: two equations without real solutions would then be equal.
    """
    left, right = _parts_of_relation(gold), _parts_of_relation(said)
    if len(left) != len(right):
        return False
    pairs = zip(left, right, strict=True)
    return all(_proportional_relations(a, b) for a, b in pairs) or (
        len(left) > 1 and all(_proportional_relations(a, b) for a, b in zip(left, right[::-1], strict=True))
    )


def _parts_of_relation(expression: Any) -> list[Any]:
    return list(getattr(expression, "_unsorted_args", [expression]))


def _proportional_relations(gold: Any, said: Any) -> bool:
    from sympy import simplify

    ratio = simplify((gold.lhs - gold.rhs) / (said.lhs - said.rhs))
    if not ratio.is_number or not ratio.is_finite or ratio.is_zero is not False:
        return False
    if gold.rel_op in ("==", "!="):
        return bool(gold.rel_op == said.rel_op)
    return bool(said.rel_op == (gold.rel_op if ratio.is_positive else FLIPPED[gold.rel_op]))
