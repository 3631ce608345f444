"""Architectures for which transformers refuses sdpa: the remedy is said, and it works."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.model.chat_models import save_model
from tvo_cli.errors import UserError
from tvo_cli.model import load_policy
from tvo_cli.rollout import SamplingParams, generate

PROMPTS = ("1 + 1 =", "5 * 5 - 2 =")


def node(folder: Path, **given: Any) -> dict[str, Any]:
    known = {"dtype": "float32", "attention": "sdpa", "gradient_checkpointing": False, "revision": None}
    return {"path": str(folder)} | known | given


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["gemma2", "bloom", "mamba", "mamba2"])
def test_eager_attention_is_the_remedy_where_sdpa_is_refused(name: str, tmp_path: Path) -> None:
    save_model(tmp_path, name)
    with pytest.raises(UserError, match=r"^model\.attention=sdpa: .*Take model\.attention=eager\.$"):
        load_policy(node(tmp_path), device="cpu")
    policy = load_policy(node(tmp_path, attention="eager"), device="cpu")
    rollout = generate(policy, PROMPTS, "ab", SamplingParams(samples=8, max_tokens=10), seed=0)
    for row in range(len(rollout.texts)):  # each by itself, without padding, in one forward
        prompt = rollout.prompt_ids[row][rollout.prompt_mask[row]]
        response = rollout.response_ids[row][rollout.mask[row]]
        with torch.no_grad():
            logits = policy.network(torch.cat([prompt, response])[None]).logits[0].log_softmax(-1)
        found = logits[len(prompt) - 1 : -1].gather(-1, response[:, None]).squeeze(-1)
        torch.testing.assert_close(rollout.logp[row][rollout.mask[row]], found, atol=2e-5, rtol=0)
    columns = (rollout.prompt_ids, rollout.prompt_mask, rollout.response_ids, rollout.mask)
    scores = policy.score(*columns, 1.0).logp.detach()
    torch.testing.assert_close(scores, rollout.logp, atol=2e-5, rtol=0)


def test_a_gemma_2_is_refused_with_the_attention_to_take(tmp_path: Path) -> None:
    save_model(tmp_path, "gemma2")
    with pytest.raises(UserError) as caught:
        load_policy(node(tmp_path), device="cpu")
    expected = "model.attention=sdpa: this architecture does not have it. Take model.attention=eager."
    assert str(caught.value) == expected, "one line, and no page of transformers' own"


def test_a_folder_that_is_broken_is_not_blamed_on_the_attention(tmp_path: Path) -> None:
    save_model(tmp_path, "llama")
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"^model\.path="):
        load_policy(node(tmp_path), device="cpu")


def test_a_tokenizer_without_padding_and_end_token_can_be_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing ends a response then, which is said; padding is never read, and some token has to stand there."""
    from tests.model.chat_models import CONFIGS
    from tvo_cli.model.tiny_model import tiny_tokenizer

    bare = tiny_tokenizer()
    bare.pad_token = bare.eos_token = None
    save_model(tmp_path, "llama", bare)
    for file in ("config.json", "generation_config.json"):
        text = (tmp_path / file).read_text()
        for name in ("eos_token_id", "pad_token_id"):
            text = text.replace(f'"{name}": {getattr(CONFIGS["llama"], name)}', f'"{name}": null')
        (tmp_path / file).write_text(text)
    with caplog.at_level(logging.INFO, logger="tvo"):
        policy = load_policy(node(tmp_path), device="cpu")
    assert "every response runs to its limit" in caplog.text and "no padding token" in caplog.text
    assert policy.end_ids == frozenset() and policy.pad_id == 0
    rollout = generate(policy, PROMPTS, "ab", SamplingParams(samples=2, max_tokens=5), seed=0)
    assert rollout.mask.all() and not rollout.finished.any()


def test_a_saved_tokenizer_says_nothing_of_where_it_was_loaded_from(tmp_path: Path) -> None:
    import json

    save_model(tmp_path / "a", "llama")
    load_policy(node(tmp_path / "a"), device="cpu").save(tmp_path / "b")
    saved = json.loads((tmp_path / "b" / "tokenizer_config.json").read_text())
    assert not {"is_local", "local_files_only", "trust_remote_code", "revision"} & saved.keys()
    assert saved["eos_token"] == "</s>"
