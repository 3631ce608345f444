"""The decorators of `tvo.register`: a function or class of one's own becomes a choice of a config group.

    @tvo.register.algorithm("mine", piece="weight", start="grpo")
    def my_weight(tokens, *, floor=0.1): ...

is `algorithm=mine`: GRPO with this weight, and `algorithm.objective.weight.floor` is a key. What a keyword has as its
default is what the yaml holds; one without a default must be given. Outside of tvo the decorators change nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from tvo_cli.errors import UserError
from tvo_cli.plugins import registry
from tvo_cli.plugins.registered_choice_yamls import merged_choice
from tvo_cli.plugins.registry import Registration

Made = TypeVar("Made", bound=Callable[..., Any])


class Decorator(Protocol):
    """What is written above a function or class, which stays what it is."""

    def __call__(self, made_of: Made, /) -> Made: ...


PIECES = {  # of an algorithm: where its `_target_` stands, and whether it is called with tensors besides
    **{name: (("algorithm", "objective", name), True) for name in ("shape", "ratio", "surrogate", "weight", "reduce")},
    **{name: (("algorithm", name), False) for name in ("estimator", "step_rule", "sampling")},
}
WHOLE = "_global_"


def algorithm(name: str, *, piece: str, start: str = "grpo", changes: Mapping[str, Any] | None = None) -> Decorator:
    """Register an algorithm: that of `start` with another piece, of the equation in docs/algorithms.md.

    `piece`: weight, surrogate, shape, ratio, reduce (functions of tensors), estimator, step_rule, sampling (classes).
    `changes`: further keys of the whole config: `{"rollout": {"epochs": 1}}`.
    """
    if piece not in PIECES:
        raise UserError("piece", piece, "is no piece of an algorithm.", f"Choose {', '.join(PIECES)}.")
    path, partial = PIECES[piece]
    named: dict[str, Any] = {"algorithm": {"name": name}}

    def register(made_of: Made, /) -> Made:
        about = f"{docstring_sentence(made_of)} Changes {start} at: {piece.replace('_', ' ')}."
        given = merged_choice(named, changes or {})
        registry.add(Registration("algorithm", name, made_of, path, start, WHOLE, about, given, partial))
        return made_of

    return register


def estimator(name: str, *, start: str = "grpo", changes: Mapping[str, Any] | None = None) -> Decorator:
    """Register an algorithm: that of `start` with another advantage estimator, a class."""
    return algorithm(name, piece="estimator", start=start, changes=changes)


def step_rule(name: str, *, start: str = "grpo", changes: Mapping[str, Any] | None = None) -> Decorator:
    """Register an algorithm: that of `start` with another step rule, a class."""
    return algorithm(name, piece="step_rule", start=start, changes=changes)


def collapse_rule(name: str, *, start: str = "default", severity: str = "warning") -> Decorator:
    """Register `stability=NAME`: the rules of `start` and one more of that name, a class."""
    changes = {"rules": {name: {"severity": severity}}}

    def register(made_of: Made, /) -> Made:
        about = f"{docstring_sentence(made_of)} Changes {start} at: rules."
        path = ("rules", name)
        registry.add(Registration("stability", name, made_of, path, start, "", about, changes))
        return made_of

    return register


def dataset(name: str, *, max_tokens: int = 256, profile: str = "math", suffix: str = "") -> Decorator:
    """Register `dataset=NAME`: problems that a function makes, see docs/own-method.md.

    `max_tokens`: of a response. `profile`: how an answer is judged. `suffix`: what is said after each question.
    """
    changes = {"kind": "own", "name": name, "max_tokens": max_tokens, "profile": profile, "suffix": suffix}

    def register(made_of: Made, /) -> Made:
        path = ("make",)
        registry.add(Registration("dataset", name, made_of, path, "", "", docstring_sentence(made_of), changes, True))
        return made_of

    return register


def docstring_sentence(made_of: Callable[..., Any]) -> str:
    """Return what is registered in a sentence: the first line of its docstring; the name where there is none."""
    text = (inspect.getdoc(made_of) or f"{made_of.__name__}, of one's own").split("\n", 1)[0].strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
