"""A value from the text of a literal or an arithmetic expression, by walking its syntax tree. Never `eval`.

It stands in for `eval` in the two libraries of the grader's children that would run a model's text as Python:
sympy's parse_expr (and sympify of text), and the scorers of reasoning_gym.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    **{ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv},
    **{ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow},
    **{ast.LShift: operator.lshift, ast.RShift: operator.rshift, ast.BitAnd: operator.and_},
    **{ast.BitOr: operator.or_, ast.BitXor: operator.xor},
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
}
SYMPY = frozenset(
    [
        *("Integer", "Float", "Rational", "Symbol", "pi", "E", "I", "oo", "sqrt", "exp", "log", "ln", "Abs"),
        *("sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "sinh", "cosh", "tanh"),
    ]
)


class UnsafeExpression(ValueError):
    """The text is more than a literal or arithmetic."""


def evaluate_expression(text: str, names: Mapping[str, Any] | None = None) -> Any:
    """The value of literals, lists, tuples, arithmetic, calls of the given names; else Refused."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise UnsafeExpression("not an expression") from error
    return _syntax_node_value(tree.body, names or {})


def _syntax_node_value(node: ast.AST, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            return _collection_value(node, [_syntax_node_value(element, names) for element in elements])
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in UNARY:
            return UNARY[type(sign)](_syntax_node_value(operand, names))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in BINARY:
            return BINARY[type(sign)](_syntax_node_value(left, names), _syntax_node_value(right, names))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in names:
            return names[name](*[_syntax_node_value(argument, names) for argument in arguments])
    raise UnsafeExpression(type(node).__name__)


def _collection_value(node: ast.AST, values: list[Any]) -> Any:
    """The tuple, set or list that a syntax node is, of its values."""
    if isinstance(node, ast.Tuple):
        return tuple(values)
    return set(values) if isinstance(node, ast.Set) else values


def names_allowed_in_sympy(scope: Mapping[str, Any], local: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a text read by sympy may call: numbers, elementary functions, the caller's own symbols."""
    allowed = {name: scope[name] for name in SYMPY if name in scope}
    return {**allowed, **(local or {})}
