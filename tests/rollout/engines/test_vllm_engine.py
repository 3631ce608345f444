"""The vLLM engine against a stand-in of its interface: vLLM itself was never run here."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from tests.rollout.decoding.test_stop_strings import END, START, chat_tokenizer
from tvo_cli.data import render_prompt
from tvo_cli.errors import UserError
from tvo_cli.rollout import SamplingParams
from tvo_cli.rollout.engines.vllm_engine import VllmEngine, vllm_request_seed
from tvo_cli.types import Problem


class FakeLLM:
    def __init__(self, **options: object) -> None:
        options = {"padding": 0} | options
        self.options, self.asked = options, list[tuple[dict[str, list[int]], SimpleNamespace]]()
        self.tokenizer = chat_tokenizer()
        network = {"max_model_len": 128, "get_vocab_size": lambda: len(self.tokenizer) + int(str(options["padding"]))}
        ended = {"try_get_generation_config": lambda: {"eos_token_id": [len(self.tokenizer) + 1]}}
        self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(**network, **ended))

    def get_tokenizer(self) -> PreTrainedTokenizerFast:
        return self.tokenizer

    def generate(
        self, prompts: list[dict[str, list[int]]], parameters: list[SimpleNamespace], use_tqdm: bool
    ) -> list[SimpleNamespace]:
        self.asked += zip(prompts, parameters, strict=True)

        def say(prompt: dict[str, list[int]], wanted: SimpleNamespace) -> SimpleNamespace:
            said = self.tokenizer(f"|{wanted.seed}", add_special_tokens=False)["input_ids"]
            ids = [*prompt["prompt_token_ids"], *said, self.tokenizer.eos_token_id]
            return SimpleNamespace(text="…", token_ids=ids, finish_reason="length" if wanted.seed % 2 else "stop")

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
    assert engine.lengths(["a b", "c"]) == [3, 1]
    assert engine.context == 128


def test_a_prompt_is_handed_over_as_the_ids_that_training_sees(vllm: None) -> None:
    """vLLM adds special tokens to a text: a begin token twice, an end token behind. To ids it adds nothing."""
    engine = VllmEngine("m", None, "float32", {})
    tokenizer = engine.tokenizer
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{START} $A {END}",
        special_tokens=[(token, tokenizer.convert_tokens_to_ids(token)) for token in (START, END)],
    )
    tokenizer.chat_template = "\n{% for m in messages %}" + START + "{{ m.content }}" + END + "{% endfor %}"
    prompts = [render_prompt(Problem("1", "hi", "2", "s"), {"template": form}, tokenizer) for form in ("chat", "plain")]
    engine(prompts, ["k", "l"], SamplingParams(samples=1, max_tokens=5), 7)
    chat, plain = (asked["prompt_token_ids"] for asked, _ in engine._engine.asked)
    talk = [{"role": "user", "content": "hi"}]
    assert chat == tokenizer.apply_chat_template(talk, add_generation_prompt=True, return_dict=False)
    assert plain == tokenizer("hi")["input_ids"][:-1]
    assert engine.lengths(prompts) == [len(chat), len(plain)]


def test_stops_reach_vllm_as_ids_where_they_are_special_tokens(vllm: None) -> None:
    engine = VllmEngine("m", None, "float32", {})
    for stop, ids, shown in ((("\n",), None, False), ((END, "\n"), [END], False), ((END + "\n",), None, True)):
        engine(["a"], ["k"], SamplingParams(samples=1, max_tokens=5, stop=stop), 7)
        wanted = engine._engine.asked[-1][1]
        assert wanted.stop == list(stop)
        assert wanted.stop_token_ids == (ids and engine.tokenizer.convert_tokens_to_ids(ids))
        assert wanted.skip_special_tokens is not shown


@pytest.mark.parametrize(("padding", "no_tokens"), [(4, [0, 2, 3]), (0, []), (5000, [])])
def test_ids_without_a_token_are_never_sampled(vllm: None, padding: int, no_tokens: list[int]) -> None:
    """All but the one behind the first, with which generation_config.json ends a response; too many are not said."""
    engine = VllmEngine("m", None, "float32", {"padding": padding})
    engine(["a", "b"], ["k", "l"], SamplingParams(samples=1, max_tokens=5), 7)
    expected = {len(engine.tokenizer) + number: -100.0 for number in no_tokens} or None
    assert [wanted.logit_bias for _, wanted in engine._engine.asked] == [expected, expected]


def test_remote_code_and_pickles_are_never_loaded(vllm: None) -> None:
    options = VllmEngine("m", None, "float32", {})._engine.options
    assert options["trust_remote_code"] is False
    assert options["load_format"] == "safetensors"


def test_without_vllm_there_is_a_clear_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UserError, match=r"rollout=vllm: vLLM is not installed.*pip install vllm"):
        VllmEngine("m", None, "float32", {})
