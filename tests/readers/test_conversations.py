"""Questions that are more than a text: parts, turns, and who speaks last."""

from __future__ import annotations

import pytest

from tvo_cli.readers.conversations import Question, question_of
from tvo_cli.readers.record import MalformedRecord


def turn(role: str, content: object) -> dict[str, object]:
    return {"role": role, "content": content}


PARTS = [{"type": "text", "text": "What is "}, {"type": "text", "text": "9+1?", "image": None}]


@pytest.mark.parametrize(
    ("stated", "text"),
    [
        (" 1+1? ", "1+1?"),
        (5, "5"),
        ([turn("user", "1+1?")], "1+1?"),
        (turn("user", "1+1?"), "1+1?"),
        ([turn("user", PARTS)], "What is 9+1?"),
        (PARTS, "What is 9+1?"),
        (["What is", "9+1?"], "What is 9+1?"),
        (["What is ", "", "9+1?"], "What is 9+1?"),
        (["A farm.", "\nHow many?"], "A farm.\nHow many?"),
        ([turn("user", ["Solve", {"type": "text", "text": "x=1"}, "now."])], "Solve x=1 now."),
        ([{"type": "text", "text": "9"}, {"type": "text", "text": "+1?"}], "9+1?"),
        ([turn("user", PARTS[0])], "What is"),
        ([turn("User", ["What is ", "9+1?"])], "What is 9+1?"),
        ([{"from": "human", "value": "1+1?"}], "1+1?"),
        ([{"content": "1+1?"}], "1+1?"),
        ([], ""),
        (None, ""),
    ],
)
def test_one_message(stated: object, text: str) -> None:
    assert question_of(stated) == Question(text)


def test_all_turns_are_kept_in_their_order() -> None:
    stated = [
        turn("system", "Be brief."),
        turn("user", "a?"),
        turn("assistant", PARTS),
        {"from": "human", "value": "b?"},
    ]
    before = (("system", "Be brief."), ("user", "a?"), ("assistant", "What is 9+1?"))
    assert question_of(stated) == Question("b?", before)


def test_the_answer_at_the_end_of_an_answered_conversation_is_not_asked() -> None:
    asked = [turn("user", "a?"), turn("assistant", "b"), turn("user", "c?")]
    before = (("user", "a?"), ("assistant", "b"))
    assert question_of([*asked, turn("assistant", "d")], answered=True) == Question("c?", before)
    assert question_of(asked, answered=True) == Question("c?", before)
    with pytest.raises(MalformedRecord, match="ends with the tool's turn"):
        question_of([*asked, turn("tool", "1"), turn("assistant", "d")], answered=True)


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ([turn("user", [{"type": "image_url", "image_url": {"url": "x"}}])], "a part of type 'image_url'"),
        ([{"type": "image"}, {"type": "text", "text": "?"}], "a part of type 'image'"),
        ([turn("user", "a"), turn("assistant", "b")], "ends with the assistant's turn"),
        ([turn("system", "a")], "ends with the system's turn"),
        ([turn("wizard", "a")], "a turn of 'wizard'"),
        ([turn("user", None)], "without content"),
        ([turn("user", "a"), 5], "a turn that is a int"),
        ([turn("user", "cut \ud83d here")], "half a character"),
        ("cut \ud83d here", "half a character"),
    ],
)
def test_what_cannot_be_asked_says_why(stated: object, said: str) -> None:
    with pytest.raises(MalformedRecord, match=said):
        question_of(stated)
