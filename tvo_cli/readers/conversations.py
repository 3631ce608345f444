"""What is asked: a text, parts of a text, or a conversation whose last turn is the user's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tvo_cli.readers.answers import as_text
from tvo_cli.readers.faults import Malformed
from tvo_cli.readers.text import checked

ROLES = {"human": "user", "gpt": "assistant", "model": "assistant", "bot": "assistant", "chatbot": "assistant"}
KNOWN = ("system", "developer", "user", "assistant", "tool")
SPEAKER, SAID = ("role", "from"), ("content", "value")
TEXTS = ("text", "input_text", "output_text")


class Question(NamedTuple):
    """The last user's text, and the turns (role, text) before it."""

    text: str
    turns: tuple[tuple[str, str], ...] = ()


def question_of(value: object, *, answered: bool = False) -> Question:
    """The question that a column states.

    A conversation is a list of turns {role, content} (or {from, value}); content is a text or a list of parts.
    `answered`: it may end with the assistant's turn, which is the answer and no part of what is asked.

    Raises:
        Malformed: a part is no text, a speaker is unknown, or the last turn is not the user's.
    """
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, Sequence) or isinstance(value, str):
        return Question(_text(value))
    if _are_parts(value):
        return Question(_joined(value))
    turns = [_turn(turn) for turn in value]
    if answered and turns and turns[-1][0] == "assistant":
        turns.pop()
    if turns and turns[-1][0] != "user":
        raise Malformed(
            f"has a conversation that ends with the {turns[-1][0]}'s turn, so nothing is asked",
            "End it with the user's turn, or name that turn: dataset.columns.question=COLUMN.0.content",
        )
    return Question(turns[-1][1], tuple(turns[:-1])) if turns else Question("")


def _are_parts(value: Sequence[object]) -> bool:
    """Whether a list holds texts and parts of a message, not turns."""
    return all(isinstance(one, str) or (isinstance(one, Mapping) and "type" in one and not _role(one)) for one in value)


def _role(turn: Mapping[str, object]) -> str:
    stated = next((turn[name] for name in SPEAKER if turn.get(name) is not None), None)
    return "" if stated is None else str(stated).strip().lower()


def _turn(turn: object) -> tuple[str, str]:
    if not isinstance(turn, Mapping):
        raise Malformed(f"has a turn that is a {type(turn).__name__}, not an object", 'Write {"role": …, "content": …}')
    role = _role(turn) or "user"
    role = ROLES.get(role, role)
    if role not in KNOWN:
        raise Malformed(f"has a turn of {role!r}, who is nobody", f"Roles are {', '.join(KNOWN)}.")
    content = next((turn[name] for name in SAID if turn.get(name) is not None), None)
    if content is None:
        raise Malformed(f"has a turn of the {role} without content", "Write a text, or remove the turn.")
    return role, _said(content)


def _said(content: object) -> str:
    if isinstance(content, Mapping):
        content = [content]
    if isinstance(content, Sequence) and not isinstance(content, str):
        return _joined(content)
    return _text(content)


def _text(value: object) -> str:
    return as_text(checked(value, "question") if isinstance(value, str) else value)


def _joined(parts: Sequence[object]) -> str:
    """The texts of the parts of one message, one after the other; texts of a plain list are words apart."""
    joined, before = "", None
    for part in parts:
        text = _part(part)
        plain = isinstance(part, str) or isinstance(before, str)  # parts of an API are pieces that join as they are
        touching = joined and text and not joined[-1].isspace() and not text[0].isspace()
        joined, before = f"{joined}{' ' if plain and touching else ''}{text}", part
    return _text(joined)


def _part(part: object) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type", "text") if isinstance(part, Mapping) else type(part).__name__
    text = part.get("text") if isinstance(part, Mapping) else None
    if kind in TEXTS and isinstance(text, str):
        return text
    raise Malformed(f"has a part of type {kind!r} in its question, and only text is read", "Remove the row.")
