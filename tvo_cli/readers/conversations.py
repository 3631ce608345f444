"""Questions: a text, parts of a text, or a conversation whose last turn is the user's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tvo_cli.readers.record import MalformedRecord
from tvo_cli.readers.text_values import check_text, text_of_value

ROLES = {"human": "user", "gpt": "assistant", "model": "assistant", "bot": "assistant", "chatbot": "assistant"}
KNOWN = ("system", "developer", "user", "assistant", "tool")
SPEAKER, SAID = ("role", "from"), ("content", "value")
TEXTS = ("text", "input_text", "output_text")


class Question(NamedTuple):
    """A question: the last user's text, and the turns (role, text) before it."""

    text: str
    turns: tuple[tuple[str, str], ...] = ()


def question_of(value: object, *, answered: bool = False) -> Question:
    """Return the question that a column states.

    A conversation is a list of turns {role, content} (or {from, value}); content is a text or a list of parts.
    `answered`: it may end with the assistant's turn, which is the answer and no part of what is asked.

    Raises:
        MalformedRecord: a part is no text, a speaker is unknown, or the last turn is not the user's.
    """
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, Sequence) or isinstance(value, str):
        return Question(_question_text(value))
    if _are_message_parts(value):
        return Question(_join_message_parts(value))
    turns = turns_of(value)
    if answered and turns and turns[-1][0] == "assistant":
        turns.pop()
    if turns and turns[-1][0] != "user":
        raise MalformedRecord(
            f"has a conversation that ends with the {turns[-1][0]}'s turn, so nothing is asked",
            "End it with the user's turn, or name that turn: dataset.columns.question=COLUMN.0.content",
        )
    return Question(turns[-1][1], tuple(turns[:-1])) if turns else Question("")


def turns_of(value: object) -> list[tuple[str, str]]:
    """Return the turns (role, text) of a conversation: a list of {role, content} or {from, value}, or one of these.

    Raises:
        MalformedRecord: it is no list, a turn is no object, has no text, or its speaker is unknown.
    """
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise MalformedRecord("has a text where a conversation is read", 'Write [{"role": …, "content": …}, …]')
    return [_role_and_text(turn) for turn in value]


def _are_message_parts(value: Sequence[object]) -> bool:
    """Return whether a list holds texts and parts of a message, not turns."""
    return all(
        isinstance(one, str) or (isinstance(one, Mapping) and "type" in one and not _role_of_turn(one)) for one in value
    )


def _role_of_turn(turn: Mapping[str, object]) -> str:
    """Return the role that a turn of a conversation states."""
    stated = next((turn[name] for name in SPEAKER if turn.get(name) is not None), None)
    return "" if stated is None else str(stated).strip().lower()


def _role_and_text(turn: object) -> tuple[str, str]:
    """Return role and text of a turn of a conversation."""
    if not isinstance(turn, Mapping):
        raise MalformedRecord(
            f"has a turn that is a {type(turn).__name__}, not an object", 'Write {"role": …, "content": …}'
        )
    role = _role_of_turn(turn) or "user"
    role = ROLES.get(role, role)
    if role not in KNOWN:
        raise MalformedRecord(f"has a turn of {role!r}, which is no known role", f"Roles are {', '.join(KNOWN)}.")
    content = next((turn[name] for name in SAID if turn.get(name) is not None), None)
    if content is None:
        raise MalformedRecord(f"has a turn of the {role} without content", "Write a text, or remove the turn.")
    return role, _text_of_content(content)


def _text_of_content(content: object) -> str:
    """Return the text of a turn's content: a text, or parts."""
    if isinstance(content, Mapping):
        content = [content]
    if isinstance(content, Sequence) and not isinstance(content, str):
        return _join_message_parts(content)
    return _question_text(content)


def _question_text(value: object) -> str:
    """Return a value as the text of a question."""
    return text_of_value(check_text(value, "question") if isinstance(value, str) else value)


def _join_message_parts(parts: Sequence[object]) -> str:
    """Join the parts of one message; texts of a plain list are separated by spaces."""
    joined, before = "", None
    for part in parts:
        text = _text_of_part(part)
        plain = isinstance(part, str) or isinstance(before, str)  # parts of an API are pieces that join as they are
        touching = joined and text and not joined[-1].isspace() and not text[0].isspace()
        joined, before = f"{joined}{' ' if plain and touching else ''}{text}", part
    return _question_text(joined)


def _text_of_part(part: object) -> str:
    """Return the text of one part of a message."""
    if isinstance(part, str):
        return part
    kind = part.get("type", "text") if isinstance(part, Mapping) else type(part).__name__
    text = part.get("text") if isinstance(part, Mapping) else None
    if kind in TEXTS and isinstance(text, str):
        return text
    raise MalformedRecord(f"has a part of type {kind!r} in its question, and only text is read", "Remove the row.")
