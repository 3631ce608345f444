"""Stop strings: plain text, special tokens alone or among text, and ids that no tokenizer knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from tvo_cli.model import Policy
from tvo_cli.model.decodable_tokens import decodable_tokens
from tvo_cli.rollout import SamplingParams, generate
from tvo_cli.rollout.decoding.fused_decode import fused_decoder
from tvo_cli.rollout.decoding.onednn import onednn_matmul
from tvo_cli.rollout.decoding.stop_strings import StopStrings, tokens_ending_stop_strings

END, START, THINK = "<|im_end|>", "<|im_start|>", "<think>"
LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
EMBEDDED = 300  # more than the tokenizer has, as Qwen's
SAMPLING = SamplingParams(samples=64, max_tokens=12)


def chat_tokenizer() -> PreTrainedTokenizerFast:
    raw = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(LETTERS)}, merges=[]))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<|endoftext|>", pad_token="<|pad|>", additional_special_tokens=[START, END]
    )
    made.add_tokens([THINK])
    return made


@pytest.fixture(scope="module")
def padded() -> Policy:
    """A network with more logits than tokens, which likes those beyond and the special ones best."""
    tokenizer = chat_tokenizer()
    sizes: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Qwen2ForCausalLM(Qwen2Config(vocab_size=EMBEDDED, tie_word_embeddings=False, **sizes, **heads)).eval()
    with torch.no_grad():
        network.lm_head.weight.mul_(5.0)
        network.lm_head.weight[256:] *= 8.0
    return Policy(network, tokenizer, frozenset({tokenizer.eos_token_id}), tokenizer.pad_token_id)


def matcher(*stop: str) -> StopStrings:
    return StopStrings(chat_tokenizer(), stop, torch.device("cpu"))


def ids_of(text: str) -> list[int]:
    found: list[int] = chat_tokenizer()(text, add_special_tokens=False)["input_ids"]
    return found


def is_stopped(text: str, *stop: str) -> bool:
    """Whether one of the tokens of a text ends it."""
    stopped, ids = matcher(*stop), ids_of(text)
    row, held = torch.tensor([0]), torch.tensor([ids])
    by_text = [bool(stopped(held, row, torch.tensor([end]))) for end in range(1, len(ids) + 1)]
    return any(by_text) or not stopped.end_ids.isdisjoint(ids)


@pytest.mark.parametrize(
    ("text", "stop", "expected"),
    [
        ("ab" + END, END, True),  # a special token
        ("ab" + END, START, False),
        ("ab" + END + "\n", END + "\n", True),  # text after a special token
        ("ab" + END + "x\n", END + "\n", False),
        (END + START + "user", END + START, True),  # two special tokens
        (START + END, END + START, False),
        ("so\n" + END, "\n" + END, True),  # text before one
        ("x" + THINK, THINK, True),  # an added token that is not special
        ("one two", "e t", True),  # ordinary text over several tokens
        ("one" + END + "two", "onetwo", True),  # read as the answer is: without special tokens
        ("the end", "im_end", False),
        ("a" + END, "im_end", False),  # the letters inside of a special token's name are no text
        ("é", "é", True),  # a character of two tokens
    ],
)
def test_a_stop_ends_the_response_whatever_tokens_it_is_made_of(text: str, stop: str, expected: bool) -> None:
    assert is_stopped(text, stop) is expected


def test_a_stop_that_is_a_special_token_ends_a_sampled_response(padded: Policy) -> None:
    free = generate(padded, ["ab"], ["k"], SAMPLING, seed=0)
    end = padded.tokenizer.convert_tokens_to_ids(END)
    assert bool((free.response_ids == end)[:, :-1].any()), "the case needs rows that go on after it"
    stopped = generate(padded, ["ab"], ["k"], replace(SAMPLING, stop=(END,)), seed=0)
    for row in range(SAMPLING.samples):
        ids, before = (r.response_ids[row][r.mask[row]].tolist() for r in (stopped, free))
        expected = before[: before.index(end) + 1] if end in before else before
        assert ids == expected
        assert bool(stopped.finished[row]) == (end in before or bool(free.finished[row]))


def test_ids_beyond_the_tokenizer_are_never_sampled_whatever_the_stops(padded: Policy) -> None:
    count = len(padded.tokenizer)
    assert count < EMBEDDED
    raw = padded.network(torch.tensor([ids_of("ab")])).logits[0, -1].softmax(-1)
    assert float(raw[count:].sum().detach()) > 0.3, "the network itself would choose them often"
    for sampling in (SAMPLING, replace(SAMPLING, stop=("\n", END)), replace(SAMPLING, samples=1, temperature=0.0)):
        rollout = generate(padded, ["ab", "c"], ["k", "l"], sampling, seed=1)
        assert int(rollout.response_ids.max()) < count


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_sampler_and_trainer_leave_out_the_same_ids(padded: Policy, temperature: float) -> None:
    """log π is of the softmax over the tokens that have a name, on both sides: the mismatch stays rounding."""
    rollout = generate(padded, ["ab", "c"], ["k", "l"], replace(SAMPLING, temperature=temperature), seed=1)
    columns = (rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask)
    scores = padded.score(*columns, temperature)
    assert float((scores.logp.detach() - rollout.logp).abs().max()) < 1e-5
    first = padded.network(torch.tensor([ids_of("ab")])).logits.detach()[0, -1, : len(padded.tokenizer)] / temperature
    assert float(rollout.logp[0, 0]) == pytest.approx(
        float(first.log_softmax(-1)[rollout.response_ids[0, 0]]), abs=1e-5
    )
    entropy = torch.distributions.Categorical(logits=first).entropy()
    assert float(scores.entropy[0, 0].detach()) == pytest.approx(float(entropy), abs=1e-4)


def test_an_id_that_the_tokenizer_skips_has_no_probability_and_no_gradient(padded: Policy) -> None:
    class Holed:
        def get_vocab(self) -> dict[str, int]:
            return {str(i): i for i in range(EMBEDDED) if i not in (7, 9)}

    decodable = decodable_tokens(Holed(), {299}, EMBEDDED)
    assert (decodable.width, decodable.holes) == (None, (7, 9))
    logits = torch.randn(2, EMBEDDED, requires_grad=True)
    pi = decodable.cut(logits).softmax(-1)
    assert pi[:, [7, 9]].eq(0).all() and pi.sum(-1).allclose(torch.ones(2))
    pi[:, 3].sum().backward()
    assert logits.grad is not None and logits.grad[:, [7, 9]].eq(0).all()


def test_an_end_token_beyond_the_tokenizer_stays_within_reach() -> None:
    class Known:
        def get_vocab(self) -> dict[str, int]:
            return {"a": 0, "b": 1}

    assert decodable_tokens(Known(), {3}, 6) == (4, (2,))
    assert decodable_tokens(Known(), {9}, 2) == (None, ())


def test_only_tokens_with_a_stops_last_character_can_end_it(policy: Policy) -> None:
    closing = tokens_ending_stop_strings(policy.tokenizer, ("so 7",))
    texts = policy.tokenizer.batch_decode([[i] for i in range(len(policy.tokenizer))])
    assert {text for text, ends in zip([*texts, ""], closing.tolist(), strict=True) if ends} == {
        t for t in texts if "7" in t
    }
    assert tokens_ending_stop_strings(policy.tokenizer, ("so ",)).all(), "a space at the end may belong to any token"


def test_fused_decoding_leaves_out_the_same_ids(padded: Policy, quick_anywhere: None) -> None:
    plain = generate(padded, ["ab", "c"], ["k", "l"], SAMPLING, seed=1)
    with onednn_matmul(padded.network) as on:
        assert on and fused_decoder(padded) is not None
        fused = generate(padded, ["ab", "c"], ["k", "l"], SAMPLING, seed=1)
    assert torch.equal(fused.response_ids, plain.response_ids)
    torch.testing.assert_close(fused.logp, plain.logp, atol=1e-4, rtol=0)
