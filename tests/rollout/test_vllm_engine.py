"""The vLLM engine against a stand-in of its interface: vLLM itself was never run here."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from tvo_cli.errors import UserError
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.vllm_engine import VllmEngine, vllm_request_seed


class Tokenizer:
    chat_template = None

    def __call__(self, text: str) -> dict[str, list[str]]:
        return {"input_ids": text.split()}


class FakeLLM:
    def __init__(self, **options: object) -> None:
        self.options = options
        self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=128))

    def get_tokenizer(self) -> Tokenizer:
        return Tokenizer()

    def generate(self, prompts: list[str], parameters: list[SimpleNamespace], use_tqdm: bool) -> list[SimpleNamespace]:
        def say(prompt: str, wanted: SimpleNamespace) -> SimpleNamespace:
            reason = "length" if wanted.seed % 2 else "stop"
            return SimpleNamespace(text=f"{prompt}|{wanted.seed}", token_ids=[1, 2], finish_reason=reason)

        return [SimpleNamespace(outputs=[say(p, w)]) for p, w in zip(prompts, parameters, strict=True)]


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("vllm")
    vars(module).update(LLM=FakeLLM, SamplingParams=SimpleNamespace)
    monkeypatch.setitem(sys.modules, "vllm", module)


def test_one_request_a_completion_each_with_its_own_seed(vllm: None) -> None:
    engine = VllmEngine("m", None, "float32", {"gpu_memory_utilization": 0.8})
    found = engine(["a b", "c"], ["k1", "k2"], SamplingParams(samples=3, max_tokens=5, top_k=0), 7)
    assert [len(group) for group in found] == [3, 3]
    texts = [completion.text for group in found for completion in group]
    assert texts[1] == f"a b|{vllm_request_seed(7, 'k1', 1)}"
    assert len(set(texts)) == 6
    assert {c.finished for group in found for c in group} == {c.text.endswith(tuple("02468")) for g in found for c in g}
    assert engine.lengths(["a b", "c"]) == [2, 1]
    assert engine.context == 128


def test_remote_code_and_pickles_are_never_loaded(vllm: None) -> None:
    options = VllmEngine("m", None, "float32", {})._engine.options
    assert options["trust_remote_code"] is False
    assert options["load_format"] == "safetensors"


def test_without_vllm_there_is_a_clear_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UserError, match=r"rollout=vllm: vLLM is not installed.*pip install vllm"):
        VllmEngine("m", None, "float32", {})
