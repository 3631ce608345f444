"""Prompts as token ids: the tokenizer's own, without an end token behind, and data that cannot end a turn."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from tvo_cli.data.prompts import render_prompt
from tvo_cli.data.special_tokens import Prompt
from tvo_cli.evaluation.protocol import Decoding, Protocol
from tvo_cli.model.prompt_encoding import encode_prompts, eos_ids_added_to_prompts
from tvo_cli.model.tiny_model import tiny_tokenizer
from tvo_cli.types import Problem

CHATML = (
    "{% for m in messages %}<|im_start|>{{m['role']}}\n{{m['content']}}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)
BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
PIECES = [
    "<unk>",
    "<s>",
    "</s>",
    "▁",
    *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ<>/|_?.+0123456789\n",
    "▁ends",
    "▁a",
]


def chatml(**more: Any) -> PreTrainedTokenizerFast:
    raw = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(BYTES)}, merges=[]))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
        **more,
    )
    made.chat_template = CHATML
    return made


def pieces(scheme: str, *, unigram: bool) -> PreTrainedTokenizerFast:
    """As sentencepiece makes them: its control symbols stand in the vocabulary itself."""
    kind = (
        models.Unigram([(piece, -1.0 - i * 0.01) for i, piece in enumerate(PIECES)], unk_id=0)
        if unigram
        else models.BPE({piece: i for i, piece in enumerate(PIECES)}, [], unk_token="<unk>", fuse_unk=True)
    )
    raw = Tokenizer(kind)
    raw.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    raw.normalizer, raw.decoder = normalizers.NFKC(), decoders.Metaspace(prepend_scheme=scheme)
    raw.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    made = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    made.chat_template = "{% for m in messages %}<s>{{m.role}} {{m.content}}</s>{% endfor %}"
    return made


TOKENIZERS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "chatml": chatml,
    "pieces, first": lambda: pieces("first", unigram=False),
    "pieces, always": lambda: pieces("always", unigram=False),
    "unigram": lambda: pieces("first", unigram=True),
    "words": tiny_tokenizer,
}
ENDS = {"chatml": "<|im_end|>"}


def problem(question: str, *turns: tuple[str, str]) -> Problem:
    return Problem("1", question, "2", "s", turns=turns)


def node(template: str, **given: object) -> dict[str, Any]:
    return {"template": template, "system": None, "suffix": ""} | given


def templates(tokenizer: PreTrainedTokenizerFast) -> list[str]:
    return ["plain", "chat"] if tokenizer.chat_template else ["plain"]


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_plain_prompt_without_special_tokens_has_the_tokenizers_own_ids(name: str) -> None:
    tokenizer = TOKENIZERS[name]()
    prompts = [render_prompt(problem(text), node("plain"), tokenizer) for text in ("7 + 3 =", "What ends a turn?", "a")]
    assert encode_prompts(tokenizer, prompts) == [tokenizer(prompt)["input_ids"] for prompt in prompts]
    assert [type(prompt) for prompt in prompts] == [str] * 3


def with_processor(single: str, template: str, *tokens: str) -> PreTrainedTokenizerFast:
    """A tokenizer whose post-processor writes `single` around every text, and that has a chat template."""
    made = chatml(bos_token="<|begin|>")
    made.add_special_tokens({"additional_special_tokens": ["[gMASK]", "<sop>"]}, replace_extra_special_tokens=False)
    ids = [(token, made.convert_tokens_to_ids(token)) for token in tokens]
    made.backend_tokenizer.post_processor = TemplateProcessing(single=single, special_tokens=ids)
    made.chat_template = template
    return made


MESSAGES = "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}"
ADDING = {
    "a prefix that is not the begin token, written by the template too": (
        *("[gMASK] <sop> $A", "[gMASK]<sop>" + MESSAGES),
        *("[gMASK]", "<sop>"),
    ),
    "a begin token that the template leaves out": ("<|begin|> $A", MESSAGES, "<|begin|>"),
    "a begin token after a line break of the template": ("<|begin|> $A", "\n<|begin|>" + MESSAGES, "<|begin|>"),
    "a begin token that the template begins with": ("<|begin|> $A", "<|begin|>" + MESSAGES, "<|begin|>"),
    "an end token behind": ("$A <|im_end|>", MESSAGES, "<|im_end|>"),
    "an end token behind, a begin token before": (
        *("<|begin|> $A <|im_end|>", "<|begin|>" + MESSAGES),
        *("<|begin|>", "<|im_end|>"),
    ),
    "nothing": ("$A", MESSAGES),
}


@pytest.mark.parametrize("kind", ADDING)
@pytest.mark.parametrize("question", ["hi", "  hi\n", "<|begin|>hi"])
def test_what_a_chat_template_wrote_has_transformers_own_ids(kind: str, question: str) -> None:
    """Whatever the tokenizer adds to a text by itself, it is not added to a conversation."""
    single, template, *tokens = ADDING[kind]
    tokenizer = with_processor(single, template, *tokens)
    (ids,) = encode_prompts(tokenizer, [render_prompt(problem(question), node("chat"), tokenizer)])
    mark = question.replace("<|begin|>", "x")
    talk = [{"role": "user", "content": mark}]
    expected = tokenizer.apply_chat_template(talk, add_generation_prompt=True, return_dict=False)
    if mark == question:
        assert ids == expected
    assert _special(ids, tokenizer) == _special(expected, tokenizer)


@pytest.mark.parametrize("kind", ADDING)
def test_a_plain_prompt_keeps_what_the_tokenizer_puts_before_it(kind: str) -> None:
    single, template, *tokens = ADDING[kind]
    tokenizer = with_processor(single, template, *tokens)
    (ids,) = encode_prompts(tokenizer, [render_prompt(problem("hi"), node("plain"), tokenizer)])
    own = tokenizer("hi")["input_ids"]
    assert ids == (own[:-1] if own[-1] == tokenizer.eos_token_id else own)


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("form", ["The token {} ends a turn.", "{}", "a{}", "{}a", "{}{} a"])
def test_special_tokens_in_a_question_are_text(name: str, form: str) -> None:
    """The prompt reads as before; of its ids only those that the template wrote are special."""
    tokenizer = TOKENIZERS[name]()
    end = ENDS.get(name, "</s>")
    question = form.replace("{}", end)
    for template in templates(tokenizer):
        prompt = render_prompt(problem(question), node(template), tokenizer)
        (ids,) = encode_prompts(tokenizer, [prompt])
        (harmless,) = encode_prompts(
            tokenizer, [render_prompt(problem(form.replace("{}", "x")), node(template), tokenizer)]
        )
        assert question in prompt
        assert _special(ids, tokenizer) == _special(harmless, tokenizer)


def _special(ids: list[int], tokenizer: PreTrainedTokenizerFast) -> list[int]:
    chosen = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    return [token for token in ids if token in chosen]


@pytest.mark.parametrize("name", ["chatml", "pieces, first", "pieces, always"])
def test_the_text_is_read_as_the_library_reads_plain_text(name: str) -> None:
    tokenizer = TOKENIZERS[name]()
    question = f"The {ENDS.get(name, '</s>')} ends a turn?"
    (ids,) = encode_prompts(tokenizer, [render_prompt(problem(question), node("plain"), tokenizer)])
    assert ids == tokenizer(question, split_special_tokens=True)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True).strip() == question


def test_earlier_turns_are_text_too_and_the_template_keeps_its_marks() -> None:
    tokenizer = chatml()
    asked = problem("b <|im_start|>?", ("system", "s<|im_end|>"), ("user", "a"), ("assistant", "c"))
    prompt = render_prompt(asked, node("chat"), tokenizer)
    assert prompt == tokenizer.apply_chat_template(
        [{"role": role, "content": text} for role, text in (*asked.turns, ("user", asked.question))], tokenize=False
    )
    start, end = tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    assert _special(encode_prompts(tokenizer, [prompt])[0], tokenizer) == [start, end] * 4 + [start]


def test_what_a_user_writes_into_the_settings_is_meant() -> None:
    tokenizer = chatml()
    prompt = render_prompt(
        problem("<|im_end|>"), node("plain", suffix="<|im_end|>\n<|im_start|>assistant\n"), tokenizer
    )
    assert _special(encode_prompts(tokenizer, [prompt])[0], tokenizer) == tokenizer.convert_tokens_to_ids(
        ["<|im_end|>", "<|im_start|>"]
    )


def test_an_evaluations_protocol_reads_questions_alike() -> None:
    tokenizer = chatml()
    protocol = Protocol(
        *("p", "plain", None, "<|im_start|>{question}", "", (), "boxed", "wrong", (), 8, "math", "", Decoding())
    )
    prompt = protocol.render(problem("a <|im_end|>"), tokenizer)
    assert prompt == "<|im_start|>a <|im_end|>"
    assert _special(encode_prompts(tokenizer, [prompt])[0], tokenizer) == [
        tokenizer.convert_tokens_to_ids("<|im_start|>")
    ]


@pytest.mark.parametrize("template", ["plain", "chat"])
@pytest.mark.parametrize("question", ["hi", "hi <|im_end|> there", "hi <|im_end|>"])
def test_no_end_token_is_put_behind_a_prompt(template: str, question: str) -> None:
    """A tokenizer that ends every text (add_eos_token) would have the model answer after its own end."""
    usual, ending = chatml(), chatml()
    end = ending.eos_token_id
    ending.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A <|im_end|>", special_tokens=[("<|im_end|>", end)]
    )
    prompts = [render_prompt(problem(question), node(template), ending)]
    assert ending(prompts[0])["input_ids"][-1] == end and eos_ids_added_to_prompts(ending) == (end,)
    assert encode_prompts(ending, prompts) == encode_prompts(usual, prompts)


def test_the_begin_token_stays_and_is_not_doubled() -> None:
    tokenizer = pieces("first", unigram=False)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    plain, chat, literal = encode_prompts(
        tokenizer,
        [
            render_prompt(problem(text), node(t), tokenizer)
            for text, t in (("a", "plain"), ("a", "chat"), ("<s> a", "plain"))
        ],
    )
    assert (plain[0], plain.count(1), plain[-1] != 2) == (1, 1, True)
    assert chat.count(1) == 1 and chat[0] == 1
    assert (literal[0], literal.count(1), literal[-1] != 2) == (1, 1, True)


def test_a_copy_of_a_prompt_is_the_same_prompt() -> None:
    prompt = render_prompt(problem("a <|im_end|>"), node("chat"), chatml())
    copied = copy.deepcopy(prompt)
    assert isinstance(copied, Prompt) and isinstance(prompt, Prompt)
    assert copied == prompt and copied.control == prompt.control != ()
    assert copied.templated is prompt.templated is True
