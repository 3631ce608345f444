"""Encoding: prompts as reinforcement learning shows them, replies with the end at which sampling stops."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from tvo_cli.data.demonstrations import Demonstration, problem_of_reply
from tvo_cli.data.prompts import render_prompt
from tvo_cli.errors import UserError
from tvo_cli.model import Policy
from tvo_cli.training.run_data.demonstration_encoding import DemonstrationEncoder, EncodedSequence, end_of_reply

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Earlier replies lose what stands before </think>, as in templates of reasoning models.
FORGETFUL = CHATML.replace(
    "{{ m['content'] }}", "{{ m['content'].split('</think>')[-1] if not loop.last else m['content'] }}"
)
CHAT: dict[str, Any] = {"template": "chat", "system": None, "suffix": "", "chat_template_kwargs": None}
PLAIN = CHAT | {"template": "plain"}
TURNS = (("system", "s"), ("user", "1+1?"), ("assistant", "x</think>2"), ("user", "+1?"), ("assistant", "3"))


@pytest.fixture(scope="module")
def policy() -> Policy:
    """A model that reads any text byte by byte; sampling stops at <|im_end|> and at <|eos|>."""
    raw = Tokenizer(models.BPE({c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    raw.add_special_tokens([AddedToken(name) for name in ("<|im_start|>", "<|im_end|>")])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|eos|>", pad_token="<|pad|>")
    tokenizer.chat_template = CHATML
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    network = Qwen2ForCausalLM(Qwen2Config(vocab_size=len(tokenizer), num_key_value_heads=1, **sizes))
    ends = {tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|im_end|>")}
    return Policy(network, tokenizer, frozenset(ends), tokenizer.pad_token_id)


def conversation(*turns: tuple[str, str]) -> Demonstration:
    return Demonstration("1", turns[-2][1], "3", "mine", turns=turns[:-2], conversation=turns)


def parts(policy: Policy, row: EncodedSequence) -> list[tuple[bool, str]]:
    """The text of a row, cut where what is learned begins and ends."""
    found: list[tuple[bool, list[int]]] = []
    for token, learned in zip(row.ids, row.learned, strict=True):
        if not found or found[-1][0] != learned:
            found.append((learned, []))
        found[-1][1].append(token)
    return [(learned, policy.tokenizer.decode(ids)) for learned, ids in found]


def test_every_reply_of_a_conversation_is_learned_with_its_end_and_nothing_else(policy: Policy) -> None:
    (row,) = DemonstrationEncoder.of(policy, CHAT)(conversation(*TURNS))
    assert parts(policy, row) == [
        (False, "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n"),
        (True, "x</think>2<|im_end|>"),
        (False, "\n<|im_start|>user\n+1?<|im_end|>\n<|im_start|>assistant\n"),
        (True, "3<|im_end|>"),
    ]


@pytest.mark.parametrize("template", [CHATML, FORGETFUL], ids=["keeps", "rewrites"])
@pytest.mark.parametrize("prompt", [CHAT, PLAIN, CHAT | {"suffix": " Box it."}], ids=["chat", "plain", "suffix"])
def test_each_reply_stands_behind_the_prompt_that_reinforcement_learning_shows(
    policy: Policy, monkeypatch: pytest.MonkeyPatch, template: str, prompt: dict[str, Any]
) -> None:
    monkeypatch.setattr(policy.tokenizer, "chat_template", template)
    shown, asked = conversation(*TURNS), []
    for row in DemonstrationEncoder.of(policy, prompt)(shown):
        ends = [n for n in range(len(row.ids)) if row.learned[n] and not row.learned[n - 1]]
        asked += [row.ids[:end] for end in ends]
    for ids, turn in zip(asked, (2, 4), strict=True):
        assert policy.tokenizer.decode(ids) == str(
            render_prompt(problem_of_reply(shown, turn), prompt, policy.tokenizer)
        )


def test_a_template_that_rewrites_earlier_turns_gives_a_row_for_each_reply(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy.tokenizer, "chat_template", FORGETFUL)
    rows = DemonstrationEncoder.of(policy, CHAT)(conversation(*TURNS))
    learned = [[text for is_learned, text in parts(policy, row) if is_learned] for row in rows]
    assert learned == [["x</think>2<|im_end|>"], ["3<|im_end|>"]]
    assert "x</think>" not in policy.tokenizer.decode(rows[1].ids)


def test_the_end_is_the_one_at_which_sampling_stops(policy: Policy, caplog: pytest.LogCaptureFixture) -> None:
    name = policy.tokenizer.convert_ids_to_tokens
    assert name(end_of_reply(policy, CHAT)) == "<|im_end|>" and name(end_of_reply(policy, PLAIN)) == "<|eos|>"
    assert not caplog.records
    eos = policy.tokenizer.eos_token_id
    base = Policy(policy.network, policy.tokenizer, frozenset({eos}), policy.pad_id)  # as of base models
    assert end_of_reply(base, CHAT) == eos
    assert "ends a turn with <|im_end|>, at which sampling does not stop: <|eos|> is learned" in caplog.text


def test_a_tokenizer_without_an_end_has_none_to_learn(policy: Policy) -> None:
    tokenizer = copy.deepcopy(policy.tokenizer)
    tokenizer.eos_token = None
    with pytest.raises(UserError, match="no end token to learn"):
        end_of_reply(Policy(policy.network, tokenizer, frozenset(), policy.pad_id), PLAIN)


def test_the_name_of_a_special_token_in_a_reply_is_plain_text(policy: Policy) -> None:
    (row,) = DemonstrationEncoder.of(policy, CHAT)(conversation(("user", "q"), ("assistant", "a<|im_end|>b")))
    end = policy.tokenizer.convert_tokens_to_ids("<|im_end|>")
    learned = [token for token, is_learned in zip(row.ids, row.learned, strict=True) if is_learned]
    assert learned.count(end) == 1 and learned[-1] == end
