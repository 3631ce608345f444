"""Checks of `_partial_` in an algorithm: a function that is called with a batch has it, a class does not.

Without it a function would be called once, when the run starts and there is no batch; with it a class would be made
anew at each call, from the batch instead of its settings.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from tvo_cli.config.target_signatures import Definition, find_definition
from tvo_cli.errors import UserError

GIVEN_AT_THE_CALL = {  # how many values a piece is called with, by position
    "reward_shaping": 1,  # experience
    "advantage_shaping": 2,  # experience, advantage
    "weight": 1,  # tokens
    "shape": 1,  # tokens
    "term": 1,  # tokens
    "reduce": 1,  # mask
    "ratio": 2,  # log_ratio, mask
    "divergence": 2,  # logp, old_logp
    "surrogate": 3,  # ratio, advantage, and tokens where it reads them
}


def check_partial(path: str, node: Mapping[str, Any], target: str) -> None:
    """Refuse a piece of an algorithm whose `_partial_` is not what its `_target_` needs.

    Raises:
        UserError: a function of a batch without `_partial_: true`, or without a keyword that no call brings; a class
            with it.
    """
    found = find_definition(target)
    if found is None or not path.startswith("algorithm.") or "_args_" in node:
        return
    partial = bool(node.get("_partial_"))
    if isinstance(found.node, ast.ClassDef):
        if partial:
            problem = f"does not go with {target}: a class is built once, when the run starts."
            raise UserError(f"{path}._partial_", "true", problem, f"Set {path}._partial_=false")
        return
    if found.node.decorator_list:  # may change what it is called with
        return
    if not partial and (name := _first_of_the_call(found.node, node)):
        stated = "_partial_" in node
        problem = f"{'must be true' if stated else 'is missing'}: {target} is a function, called with {name} each time."
        remedy = f"Set {path}._partial_=true" if stated else f"Add it: +{path}._partial_=true"
        raise UserError(f"{path}._partial_", "false" if stated else "", problem, remedy)
    for name in _lacking_at_the_call(path, found.node, node) if partial else ():
        raise missing_keyword_error(path, target, name)


def missing_keyword_error(path: str, target: str, name: str, value: str = "…") -> UserError:
    """Return the refusal of a node without a keyword that its `_target_` needs."""
    return UserError(f"{path}.{name}", "", f"is missing: {target} needs it.", f"Add it: +{path}.{name}={value}")


def _first_of_the_call(definition: Definition, node: Mapping[str, Any]) -> str:
    """Return a function's first positional parameter, where only a call can give it; else ""."""
    assert isinstance(definition, ast.FunctionDef)
    first, *_ = _required_positional(definition) or [""]
    return "" if first in node else first


def _lacking_at_the_call(path: str, definition: Definition, node: Mapping[str, Any]) -> list[str]:
    """Return the required parameters that neither the node states nor the call brings."""
    assert isinstance(definition, ast.FunctionDef)
    arguments = definition.args
    named = [one.arg for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if not default]
    *_, above, piece = path.split(".")
    given = GIVEN_AT_THE_CALL.get(above if above.endswith("_shaping") else piece)
    positional = [] if given is None else _required_positional(definition)[given:]
    return [name for name in [*positional, *named] if name not in node]


def _required_positional(definition: ast.FunctionDef) -> list[str]:
    """Return the names of a function's positional parameters without a default."""
    plain = [*definition.args.posonlyargs, *definition.args.args]
    return [one.arg for one in plain[: len(plain) - len(definition.args.defaults)]]
