"""A function asks for what it names; what it cannot be called with is refused before it is called."""

from __future__ import annotations

from typing import Any

import pytest

from tvo_cli.errors import UserError
from tvo_cli.plugins.call_signature import parameters_asked_for

OFFERED = ("prompts", "responses", "step")


def asked(function: Any, **given: Any) -> tuple[str, ...]:
    return parameters_asked_for("reward.functions.0", "mine.py:f", function, OFFERED, given, ("call", "weight"))


class Callable_:
    def __call__(self, responses: list[str], scale: float) -> list[float]:
        return [scale] * len(responses)


async def waits(responses: list[str]) -> list[float]:
    return [0.0] * len(responses)


def by_position(responses: list[str], /) -> list[float]:
    return [0.0] * len(responses)


def test_it_gets_what_it_names_and_with_double_star_everything() -> None:
    assert asked(lambda responses, words=3: 0) == ("responses",)
    assert asked(lambda step, responses: 0) == ("responses", "step")
    assert asked(lambda responses, **others: 0, words=3) == OFFERED
    assert asked(Callable_(), scale=2.0) == ("responses",)


@pytest.mark.parametrize(
    ("function", "given", "refusal"),
    [
        (lambda responses, words: 0, {}, r"functions\.0\.words=: is missing: mine\.py:f needs it"),
        (lambda response: 0, {}, r"functions\.0\.response=: is missing.*Nearest: responses"),
        (lambda responses, words=1: 0, {"word": 2}, r"functions\.0\.word=2: mine\.py:f has no such.*Nearest: words"),
        (
            lambda completions, rewards: 0,
            {},
            r"completions=: is missing.*may ask for prompts, responses, step, or give",
        ),
        (lambda responses, limit=1: 0, {"wieght": 2}, r"wieght=2: mine\.py:f has no such parameter\. Nearest: weight"),
        (lambda responses, limit=1: 0, {"xyz": 2}, r"It has: limit\. An entry itself has: call, weight\."),
        (lambda responses: 0, {"words": 2}, r"It has: none that a config may set"),
        (lambda responses: 0, {"responses": 2}, r"functions\.0\.responses=2: is filled by the program"),
        (waits, {}, "is an async function"),
        (by_position, {}, "takes responses by position only"),
        (Callable_, {}, "is a class"),
        (type.mro, {}, "."),
    ],
)
def test_what_it_cannot_be_called_with_is_refused(function: Any, given: dict[str, Any], refusal: str) -> None:
    with pytest.raises(UserError, match=refusal):
        asked(function, **given)
