"""A refusal of prompts says what the model can read, also of an embedded model that a run has trained."""

from __future__ import annotations

from typing import Any

import pytest

from tvo_cli.data.vocabulary import WORDS
from tvo_cli.errors import UserError
from tvo_cli.model.prompt_check import PromptReader, PromptSurvey, check_prompts_readable


class Vocabulary:
    def __init__(self, *words: str) -> None:
        self.words = words

    def get_vocab(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.words)}


@pytest.mark.parametrize(
    ("path", "tokenizer", "hinted"),
    [
        ("packaged:tiny", None, True),
        ("outputs/run/checkpoints/step-000006/policy", Vocabulary("<pad>", "<unk>", *WORDS), True),
        ("outputs/run", Vocabulary(*WORDS, *(f"piece{n}" for n in range(100))), False),
    ],
)
def test_a_model_of_the_embedded_words_is_asked_without_the_instruction(
    path: str, tokenizer: Any, hinted: bool
) -> None:
    seen = PromptSurvey(ids=["a"], lengths=[4], tokens=4, unknown=2, unread=[("a", "1 + 1 = Please reason")])
    with pytest.raises(UserError) as refused:
        check_prompts_readable(seen, PromptReader(path, tokenizer, frozenset()), "jsonl")
    assert ("tvo eval: protocol.suffix='', or protocol=model" in refused.value.remedy) is hinted
