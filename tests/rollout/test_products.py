"""Faster products while decoding: accurate, undone afterwards, and without a change to what is said."""

from __future__ import annotations

import torch

from tests.rollout.test_generation import PROMPTS, SAMPLING
from tvo_cli.rollout import generate
from tvo_cli.rollout.generation import closing_tokens
from tvo_cli.rollout.products import accurate, quick_products


def said(policy):
    return generate(policy, PROMPTS, [f"k{i}" for i in range(len(PROMPTS))], SAMPLING, seed=3)


def test_what_is_said_stays_and_settings_come_back(policy):
    plain = said(policy)
    with quick_products(policy.network) as on:
        quick = said(policy)
        inside = torch.get_float32_matmul_precision()
    assert on == accurate()
    assert inside == ("medium" if on else "highest")
    assert quick.texts == plain.texts
    torch.testing.assert_close(quick.logp, plain.logp, rtol=0, atol=1e-4)
    assert torch.get_float32_matmul_precision() == "highest"
    assert policy.network.config._attn_implementation == "sdpa"


def test_another_attention_is_left_alone(policy):
    policy.network.set_attn_implementation("eager")
    try:
        with quick_products(policy.network) as on:
            assert not on
            assert torch.get_float32_matmul_precision() == "highest"
    finally:
        policy.network.set_attn_implementation("sdpa")


def test_only_tokens_with_a_stops_last_character_can_end_it(policy):
    closing = closing_tokens(policy.tokenizer, ("so 7",))
    texts = policy.tokenizer.batch_decode([[i] for i in range(len(policy.tokenizer))])
    assert {text for text, ends in zip(texts, closing.tolist(), strict=True) if ends} == {t for t in texts if "7" in t}
    assert closing_tokens(policy.tokenizer, ("so ",)).all(), "a space at the end may belong to any token"
