"""What the policy is asked to continue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tvo_cli.data import render_prompt
from tvo_cli.errors import UserError
from tvo_cli.types import Problem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PROBLEM = Problem(id="1", question="1+1?", answer="2", source="s")
CHATML = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
NO_SYSTEM = "{{ raise_exception('System role not supported') if messages[0].role == 'system' }}" + CHATML


def tokenizer(template: str | None) -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    made = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]")))
    made.chat_template = template
    return made


def node(**given: object) -> dict[str, object]:
    return {"template": "plain", "system": None, "suffix": ""} | given


def test_plain_is_the_question_and_the_suffix_verbatim() -> None:
    assert render_prompt(PROBLEM, node(), None) == "1+1?"
    assert render_prompt(PROBLEM, node(suffix="\nBox it."), None) == "1+1?\nBox it."
    assert render_prompt(PROBLEM, node(suffix=None, system="Reason."), None) == "Reason.\n\n1+1?"


def test_chat_is_the_tokenizers_own_template() -> None:
    chat = tokenizer(CHATML)
    assert (
        render_prompt(PROBLEM, node(template="chat", suffix=" Box."), chat) == "<|user|>1+1? Box.<|end|><|assistant|>"
    )
    asked = render_prompt(PROBLEM, node(template="chat", system="Reason."), chat)
    assert asked == "<|system|>Reason.<|end|><|user|>1+1?<|end|><|assistant|>"


def test_a_template_that_knows_no_system_message() -> None:
    refusing = tokenizer(NO_SYSTEM)
    assert render_prompt(PROBLEM, node(template="chat"), refusing).startswith("<|user|>")
    with pytest.raises(UserError, match=r"model\.prompt\.system.*System role not supported.*suffix"):
        render_prompt(PROBLEM, node(template="chat", system="Reason."), refusing)


@pytest.mark.parametrize("given", [None, "without"])
def test_chat_without_a_chat_template(given: str | None) -> None:
    with pytest.raises(UserError, match=r"no chat template.*model\.prompt\.template=plain"):
        render_prompt(PROBLEM, node(template="chat"), given and tokenizer(None))


def test_an_unknown_template() -> None:
    with pytest.raises(UserError, match=r"model\.prompt\.template=chta.*plain, chat or auto"):
        render_prompt(PROBLEM, node(template="chta"), None)


def test_a_hydra_node_is_read_like_a_dict() -> None:
    from omegaconf import OmegaConf

    assert render_prompt(PROBLEM, OmegaConf.create(node(suffix="!")), None) == "1+1?!"


def test_all_turns_of_a_conversation_are_shown() -> None:
    from dataclasses import replace

    asked = replace(PROBLEM, turns=(("system", "Be brief."), ("user", "0+1?"), ("assistant", "1")))
    assert render_prompt(asked, node(suffix=" Box."), None) == "Be brief.\n\n0+1?\n\n1\n\n1+1? Box."
    assert render_prompt(asked, node(template="chat", suffix=" Box."), tokenizer(CHATML)) == (
        "<|system|>Be brief.<|end|><|user|>0+1?<|end|><|assistant|>1<|end|><|user|>1+1? Box.<|end|><|assistant|>"
    )
    with pytest.raises(UserError, match=r"model\.prompt\.system=Reason.*problem 1 brings a system message of its own"):
        render_prompt(asked, node(system="Reason."), None)
