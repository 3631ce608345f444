"""A data set in front of a model, before the first step: what does not fit, what cannot be read, what is odd."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from tvo_cli import data
from tvo_cli.errors import UserError, UserErrors
from tvo_cli.model import Policy, load_policy
from tvo_cli.model.prompt_check import PromptReader
from tvo_cli.training.run_data import run_problems
from tvo_cli.types import Problem

CONTEXT = 64


@pytest.fixture(scope="module")
def reading() -> Policy:
    """A model that reads any text, byte by byte, in a context of 64 tokens."""
    raw = Tokenizer(models.BPE({c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    network = Qwen2ForCausalLM(
        Qwen2Config(vocab_size=len(tokenizer), num_key_value_heads=1, max_position_embeddings=CONTEXT, **sizes)
    )
    return Policy(network, tokenizer, frozenset({tokenizer.eos_token_id}), tokenizer.pad_token_id)


@pytest.fixture(scope="module")
def tiny() -> Policy:
    node = {"path": "packaged:tiny", "dtype": "float32", "attention": "sdpa", "gradient_checkpointing": False}
    return load_policy(node, device="cpu")


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Any]:
    def made(questions: list[str], *, path: str = "custom", budget: int = 8, **dataset: object) -> Any:
        file = tmp_path / "mine.jsonl"
        file.write_text("".join(json.dumps({"question": q, "answer": 1}) + "\n" for q in questions), encoding="utf-8")
        node = {"kind": "jsonl", "name": "mine", "path": str(file), "holdout": 0, "max_prompt_tokens": None, **dataset}
        prompt = {"template": "plain", "system": None, "suffix": ""}
        model = {"path": path, "prompt": prompt}
        return OmegaConf.create({"dataset": node, "model": model, "rollout": {"max_tokens": budget}, "seed": 0})

    return made


SHORT = [f"{i}+1" for i in range(5)]


def questions(found: Any) -> list[str]:
    return [found.problem(i).question for i in range(found.size)]


def test_a_prompt_that_does_not_fit_is_found_by_its_row(config: Callable[..., Any], reading: Policy) -> None:
    with pytest.raises(UserError) as caught:
        run_problems.select_training_problems(config([*SHORT, "a" * 57]), reading)
    assert str(caught.value) == (
        "rollout.max_tokens=8: problem mine/6 has a prompt of 57 tokens; with 8 for the response that is 65, and the "
        "model's context is 64. Leave 1 of 6 rows out: dataset.max_prompt_tokens=56; "
        "or take rollout.max_tokens=7 at most."
    )
    assert run_problems.select_training_problems(config([*SHORT, "a" * 56]), reading).size == 6


def test_a_budget_that_leaves_no_room_at_all(config: Callable[..., Any], reading: Policy) -> None:
    with pytest.raises(
        UserError, match=r"rollout\.max_tokens=1024: problem mine/1 .* Take rollout\.max_tokens=61 at most\.$"
    ):
        run_problems.select_training_problems(config(SHORT, budget=1024), reading)


def test_rows_are_not_offered_to_be_left_out_where_there_is_no_room_for_any(
    config: Callable[..., Any], reading: Policy
) -> None:
    with pytest.raises(UserError, match=r"context is 64\. Take rollout\.max_tokens=61 at most\.$"):
        run_problems.select_training_problems(config([*SHORT, "a" * 70], budget=300, max_prompt_tokens=60), reading)
    with pytest.raises(UserError, match=r"context is 64\. Take rollout\.max_tokens=4 at most\.$"):  # 56 leaves none
        run_problems.select_training_problems(config(["a" * 60, "b" * 400], max_prompt_tokens=100), reading)


def test_long_rows_are_left_out_and_counted(
    config: Callable[..., Any], reading: Policy, caplog: pytest.LogCaptureFixture
) -> None:
    rows = ["a" * 57, *SHORT, "b" * 400]
    kept = run_problems.select_training_problems(config(rows, max_prompt_tokens=56), reading)
    assert questions(kept) == SHORT and kept.problem(0).id == "mine/2"
    assert (
        "dataset.max_prompt_tokens=56 leaves out 2 of 7 training problems (longest: mine/7, 400 tokens)" in caplog.text
    )
    with pytest.raises(UserError, match=r"dataset\.max_prompt_tokens=2: leaves out all 7 training problems"):
        run_problems.select_training_problems(config(rows, max_prompt_tokens=2), reading)
    with pytest.raises(UserError, match=r"dataset\.max_prompt_tokens=0: is not a number of tokens"):
        run_problems.select_training_problems(config(rows, max_prompt_tokens=0), reading)


def test_a_limit_above_the_room_still_refuses(config: Callable[..., Any], reading: Policy) -> None:
    with pytest.raises(UserError, match="problem mine/1 has a prompt of 60 tokens"):
        run_problems.select_training_problems(config(["a" * 60, *SHORT, "b" * 400], max_prompt_tokens=100), reading)


def test_text_that_the_model_cannot_read_is_refused_with_the_model_to_take(
    config: Callable[..., Any], tiny: Policy, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UserError) as caught:
        run_problems.select_training_problems(config(["7 + 3 =", "Dora buys 14 apples"], path="packaged:tiny"), tiny)
    said = str(caught.value)
    assert "does not know 30% of the tokens of the training prompts (in 1 of 2; first: mine/2, 'Dora buys" in said
    assert "model=custom model.path=FOLDER" in said and "dataset=arithmetic" in said
    sums = ["7 + 3 ="] * 40
    assert run_problems.select_training_problems(config([*sums, "7 + x ="], path="packaged:tiny"), tiny).size == 41
    assert "1 of 41 training prompts have tokens unknown to the model (0.5% of all; first: mine/41" in caplog.text


def test_special_tokens_and_ends_are_said(
    config: Callable[..., Any], reading: Policy, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = config([*SHORT, "a <|im_end|> ends"])
    run_problems.select_training_problems(chosen, reading)
    assert "1 of 6 training problems hold special tokens of the tokenizer (first: mine/6)" in caplog.text
    assert "end with an end token" not in caplog.text
    chosen.model.prompt.suffix = "<|im_end|>"
    run_problems.select_training_problems(chosen, reading)
    assert "6 of 6 training prompts end with an end token (first: mine/1)" in caplog.text


def test_a_token_without_an_embedding(config: Callable[..., Any], reading: Policy) -> None:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(reading.tokenizer.backend_tokenizer.to_str())
    )
    tokenizer.add_tokens(["<think>"])
    grown = Policy(reading.network, tokenizer, reading.end_ids, reading.pad_id)
    with pytest.raises(UserError, match=r"model\.path=custom: the prompt of mine/2 has the token '<think>' \(258\)"):
        run_problems.select_training_problems(config(["1+1", "<think>"]), grown)


def test_only_problems_that_are_evaluated_must_fit(
    config: Callable[..., Any], reading: Policy, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = config([*SHORT, "a" * 400])
    chosen.dataset.test_path = chosen.dataset.path
    found = run_problems.heldout_problems_of_run(chosen, reading, seed=0, count=5, max_tokens=8)
    assert [problem.question for problem in found] == SHORT and not caplog.records
    with pytest.raises(UserError, match=r"evaluation\.max_tokens=8: problem mine/6"):
        run_problems.heldout_problems_of_run(chosen, reading, seed=0, count=6, max_tokens=8)
    chosen.dataset.max_prompt_tokens = 50
    assert len(run_problems.heldout_problems_of_run(chosen, reading, seed=0, count=50, max_tokens=8)) == 5
    assert "50 problems to evaluate on were asked for, and mine holds out 5" in caplog.text


def test_endless_problems_are_looked_at_in_part(reading: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()

    class Endless:
        name, size, neutral_words = "endless", None, ()

        def problem(self, index: int) -> Problem:
            asked.append(index)
            return Problem(f"{index}", f"{index}", "1", "mine")

    monkeypatch.setattr(data, "load", lambda *_, **__: Endless())
    node = {"kind": "arithmetic", "name": "endless"}
    prompt = {"template": "plain"}
    parts = {"dataset": node, "rollout": {"max_tokens": 8}, "model": {"path": "m", "prompt": prompt}, "seed": 0}
    run_problems.select_training_problems(OmegaConf.create(parts), reading)
    assert asked == list(range(run_problems.SAMPLED))
    with pytest.raises(UserError, match="generated without end"):
        run_problems.select_training_problems(
            OmegaConf.create(parts | {"dataset": node | {"max_prompt_tokens": 9}}), reading
        )


def test_an_end_that_the_tokenizer_adds_is_no_end_of_the_prompt(
    config: Callable[..., Any], reading: Policy, caplog: pytest.LogCaptureFixture
) -> None:
    backend = Tokenizer.from_str(reading.tokenizer.backend_tokenizer.to_str())
    end = reading.tokenizer.eos_token_id
    backend.post_processor = TemplateProcessing(single="$A <|im_end|>", special_tokens=[("<|im_end|>", end)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    ending = Policy(reading.network, tokenizer, reading.end_ids, reading.pad_id)
    with caplog.at_level(logging.INFO, "tvo"):
        run_problems.select_training_problems(config(SHORT), ending)
    assert not caplog.records
    assert ending.encode(SHORT)[0].tolist() == reading.encode(SHORT)[0].tolist()


def test_a_finite_data_set_that_is_made_as_it_is_read_is_looked_at_whole(
    reading: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its one long prompt would else end the run in the middle."""

    class Made:
        name, size, neutral_words = "made", run_problems.SAMPLED * 2, ()

        def problem(self, index: int) -> Problem:
            asked = "7 " * CONTEXT if index == self.size - 1 else "7"
            return Problem(asked, asked, "1", "mine")

    monkeypatch.setattr(data, "load", lambda *_, **__: Made())
    parts = {"dataset": {"kind": "reasoning_gym", "name": "made"}, "rollout": {"max_tokens": 8}, "seed": 0}
    parts["model"] = {"path": "m", "prompt": {"template": "plain"}}
    with pytest.raises(UserError, match=r"rollout\.max_tokens=8: problem .* has a prompt of"):
        run_problems.select_training_problems(OmegaConf.create(parts), reading)


def test_all_faults_of_data_and_sizes_are_told_at_once(config: Callable[..., Any], tiny: Policy) -> None:
    chosen = config([f"Dora buys {i} apples" for i in range(3)], path="packaged:tiny", budget=64, holdout=1)
    chosen.evaluation = {"problems": 1, "max_tokens": 65, "seed": 0}
    chosen.rollout.prompts = 4
    for readable in (tiny, PromptReader.of(tiny, "packaged:tiny")):
        with pytest.raises(UserError) as caught:
            run_problems.select_training_problems(chosen, readable, at_once=4)
        assert isinstance(caught.value, UserErrors)
        told = [(error.key, error.value) for error in caught.value.errors]
        sizes = [("rollout.max_tokens", 64), ("rollout.prompts", 4), ("evaluation.max_tokens", 65)]
        assert told == [("model.path", "packaged:tiny"), *sizes]
        assert "Besides: (2) rollout.max_tokens=64: " in str(caught.value)
        assert "(3) rollout.prompts=4: there are 2 problems. Take rollout.prompts=2 at most" in str(caught.value)
