"""`auto` in a config becomes what it means for the model and the device, is said in one line, and is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from omegaconf import DictConfig, OmegaConf

from tests.model.chat_models import save_model, talking_tokenizer
from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.experiment import automatic_settings, train
from tvo_cli.experiment.adopt_run_settings import OF_ANY_MODEL
from tvo_cli.experiment.automatic_settings import (
    automatic_precision,
    notes_on_prompt,
    settle_evaluation_settings,
    settle_sft_precision,
    settle_training_settings,
)

SMALL = (
    *("logger=none", "logger.console=off", "evaluation=off", "trainer.threads=1", "trainer.checkpoint_every=0"),
    *("rollout.prompts=4", "rollout.samples=2", "rollout.epochs=1", "rollout.minibatches=1", "trainer.steps=1"),
)


def composed(*words: str, root: str = "train") -> DictConfig:
    return config.compose([*words], root)


@pytest.fixture
def talking(tmp_path: Path) -> Path:
    return save_model(tmp_path / "talking", "llama", talking_tokenizer())


@pytest.fixture
def on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked as on a machine with a GPU that multiplies bfloat16, of a model of 1.5e9 parameters."""
    import torch

    monkeypatch.setattr(automatic_settings, "choose_device", lambda *named: torch.device("cuda"))
    monkeypatch.setattr(automatic_settings, "has_bfloat16_products", lambda kind: kind == "cuda")
    monkeypatch.setattr(automatic_settings, "parameter_count", lambda node: 1_543_714_304)


@pytest.mark.slow
def test_an_instruct_model_is_asked_by_its_chat_template_and_the_run_keeps_it(talking: Path, tmp_path: Path) -> None:
    chosen = composed("model=custom", f"model.path={talking}", *SMALL, f"output_dir={tmp_path / 'run'}")
    assert chosen.model.prompt.template == "auto"
    train(chosen)
    kept = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
    assert kept["model"]["prompt"]["template"] == "chat" and kept["model"]["dtype"] == "float32"
    assert kept["trainer"]["precision"] == "float32"
    assert json.loads((tmp_path / "run/summary.json").read_text())["precision"] == "float32"
    log = (tmp_path / "run/run.log").read_text()
    assert "model.prompt.template=auto: chat, as the tokenizer has a chat template" in log
    again = composed("model=custom", f"model.path={talking}", *SMALL, f"output_dir={tmp_path / 'run'}")
    train(again)  # the same command goes on: what auto came to is the same setting


def test_a_model_without_a_chat_template_is_asked_plainly(tmp_path: Path) -> None:
    said: list[str] = []
    chosen = composed("model=custom", f"model.path={save_model(tmp_path, 'llama')}")
    settle_training_settings(chosen, said.append)
    assert chosen.model.prompt.template == "plain"
    assert said == ["model.prompt.template=auto: plain, as the tokenizer has no chat template"]
    settle_training_settings(chosen, said.append)
    assert len(said) == 1, "what is settled is not said again"


def test_what_of_a_prompt_is_not_used_is_said(talking: Path) -> None:
    tokenizer = talking_tokenizer()
    plain = composed("model=custom", f"model.path={talking}", "model.prompt.template=plain")
    assert "template=plain does not use it" in " ".join(notes_on_prompt(plain, tokenizer))
    words = ("model=custom", f"model.path={talking}", "model.prompt.suffix=''", "dataset.suffix=' Box it.'")
    (note,) = notes_on_prompt(composed(*words), tokenizer)
    assert note.startswith("dataset.suffix=' Box it.' is not asked")
    assert not list(notes_on_prompt(composed("model=custom", f"model.path={talking}"), tokenizer))


@pytest.mark.usefixtures("on_cuda")
def test_training_on_a_gpu_is_in_bfloat16_over_float32_weights(tmp_path: Path) -> None:
    said: list[str] = []
    chosen = composed("model=qwen2.5-0.5b")
    settle_training_settings(chosen, said.append)
    assert (chosen.trainer.precision, chosen.model.dtype) == ("bfloat16", "float32")
    assert said[0].startswith("trainer.precision=auto: bfloat16 forward and backward over float32 weights, TF32")
    stated = composed("model=qwen2.5-0.5b", "trainer.precision=float32")
    settle_training_settings(stated, said.append)
    assert stated.trainer.precision == "float32" and len(said) == 1
    assert automatic_precision({"dtype": "float32"}, "auto") == "bfloat16"


@pytest.mark.usefixtures("on_cuda")
def test_a_fine_tuning_settles_a_precision_of_its_own() -> None:
    said: list[str] = []
    chosen = composed("model=qwen2.5-0.5b", root="sft")
    settle_sft_precision(chosen, said.append)
    assert chosen.precision == "bfloat16"
    assert [line.split(" forward")[0] for line in said] == ["precision=auto: bfloat16"]
    stated = composed("model=qwen2.5-0.5b", "precision=float32", root="sft")
    settle_sft_precision(stated, said.append)
    assert stated.precision == "float32" and len(said) == 1


def test_the_automatic_precision_of_a_fine_tuning_changes_no_fingerprint() -> None:
    chosen = composed(root="sft")
    earlier = OmegaConf.create({name: value for name, value in chosen.items() if name != "precision"})
    assert config.config_fingerprint(chosen) == config.config_fingerprint(earlier)
    assert config.config_fingerprint(composed("precision=bfloat16", root="sft")) != config.config_fingerprint(earlier)


@pytest.mark.usefixtures("on_cuda")
@pytest.mark.parametrize("words", [(), ("rollout=vllm",)])
def test_evaluation_on_a_gpu_is_in_bfloat16(words: tuple[str, ...]) -> None:
    said: list[str] = []
    chosen = composed("model=qwen2.5-math-1.5b", "evaluation=[math500]", *words, root="eval")
    settle_evaluation_settings(chosen, said.append)
    assert chosen.model.dtype == "bfloat16"
    assert said == ["model.dtype=auto: bfloat16 weights (cuda, 1,543,714,304 parameters)"]


@pytest.mark.parametrize("model", ["qwen2.5-0.5b", "tiny"])
def test_a_cpu_with_amx_trains_a_model_of_real_size_in_bfloat16_and_evaluates_in_float32(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(automatic_settings, "has_bfloat16_products", lambda kind: kind == "cpu")
    monkeypatch.setattr(automatic_settings, "parameter_count", lambda node: 5e8 if model != "tiny" else 1e5)
    trained, evaluated = (composed(f"model={model}", root=root) for root in ("train", "eval"))
    trained.trainer.device = evaluated.device = "cpu"
    settle_training_settings(trained, said.append)
    settle_evaluation_settings(evaluated, said.append)
    found = "float32" if model == "tiny" else "bfloat16"
    assert (trained.trainer.precision, trained.model.dtype, evaluated.model.dtype) == (found, "float32", "float32")
    assert [line.split(" over ")[0] for line in said if "precision" in line] == (
        [] if model == "tiny" else ["trainer.precision=auto: bfloat16 forward and backward"]
    )


def test_on_a_cpu_without_amx_nothing_changes_and_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(automatic_settings, "has_bfloat16_products", lambda kind: False)
    trained, evaluated = composed("model=qwen2.5-0.5b"), composed("model=qwen2.5-0.5b", root="eval")
    trained.trainer.device = evaluated.device = "cpu"
    settle_training_settings(trained, said.append)
    settle_evaluation_settings(evaluated, said.append)
    assert (trained.trainer.precision, trained.model.dtype, evaluated.model.dtype) == ("float32",) * 3
    assert not said


def test_the_settings_of_any_model_are_those_of_the_custom_one() -> None:
    node: Any = composed("model=custom", "model.path=x").model
    assert {"dtype": node.dtype, "prompt.template": node.prompt.template} == OF_ANY_MODEL


def test_a_run_recorded_before_goes_on_in_the_precision_that_auto_meant_then() -> None:
    from tvo_cli.config.schema.upgrading import upgrade_recorded_settings
    from tvo_cli.experiment.run_replay import _in_recorded_precision

    flat = {"trainer.precision": "auto", "model.dtype": "float32"}
    assert upgrade_recorded_settings(flat, {})["trainer.precision"] == "float32"
    tree = OmegaConf.create({"trainer": {"precision": "auto"}, "model": {"dtype": "bfloat16"}})
    assert _in_recorded_precision(tree).trainer.precision == "bfloat16"


@pytest.mark.slow
def test_the_math_models_are_trained_and_evaluated_by_one_prompt() -> None:
    """Qwen2.5-Math on MATH: what training asks is what the published protocol of its authors asks."""
    from tests.model.test_prompt_encoding import chatml
    from tvo_cli.data import render_prompt
    from tvo_cli.evaluation.protocol import resolve_protocol
    from tvo_cli.types import Problem

    tokenizer, problem = chatml(), Problem("1", "What is 1+1?", "2", "s")
    for name in ("qwen2.5-math-1.5b", "qwen2.5-math-7b"):
        trained = composed(f"model={name}", "dataset=math")
        evaluated: Any = config.resolved_tree(composed(f"model={name}", "evaluation=[math500]", root="eval"))
        suite = evaluated["evaluation"]["suites"]["math500"]
        protocol = resolve_protocol(suite, evaluated["protocol"], evaluated["decoding"], "g")
        assert render_prompt(problem, trained.model.prompt, tokenizer) == protocol.render(problem, tokenizer)


def test_keywords_reach_the_chat_template_and_others_are_refused(
    talking: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from tvo_cli.data import render_prompt
    from tvo_cli.types import Problem

    words = ("model=custom", f"model.path={talking}")
    tokenizer, problem = talking_tokenizer(), Problem("1", "1 + 1 =", "2", "s")
    bare = composed(*words, "model.prompt.suffix=null").model.prompt
    deep = composed(*words, "model.prompt.suffix=null", "model.prompt.chat_template_kwargs={deep: true}").model.prompt
    assert render_prompt(problem, bare, tokenizer) == "1 + 1 = so "
    assert render_prompt(problem, deep, tokenizer) == "1 + 1 = "
    for name, value in (("depp", True), ("tokenize", True), ("messages", [])):
        wrong = {"template": "chat", "chat_template_kwargs": {name: value}}
        with pytest.raises(UserError, match=rf"chat_template_kwargs\.{name}=.*not read by .*It reads deep\."):
            render_prompt(problem, wrong, tokenizer)
    with pytest.raises(UserError, match=r"chat_template_kwargs=.*is not used: the prompt is plain"):
        render_prompt(problem, {"template": "plain", "chat_template_kwargs": {"deep": True}}, tokenizer)


@pytest.mark.slow
def test_a_sweep_knows_a_job_again_by_what_auto_comes_to(talking: Path, tmp_path: Path) -> None:
    """A job of a version whose custom model was plain and float32 is this job, unless the prompt is another."""
    bare = save_model(tmp_path / "bare", "llama")
    for folder, template in ((talking, "chat"), (bare, "plain")):
        words = ("model=custom", f"model.path={folder}")
        automatic = config.config_fingerprint(composed(*words))
        stated = (f"model.prompt.template={template}", "model.dtype=float32")
        other = f"model.prompt.template={'plain' if template == 'chat' else 'chat'}"
        assert automatic == config.config_fingerprint(composed(*words, *stated))
        assert automatic != config.config_fingerprint(composed(*words, other))


def test_a_device_that_is_not_there_is_refused_by_the_key_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    chosen = config.compose(["trainer.device=cuda", "trainer.precision=auto", "output_dir=x"])
    with pytest.raises(UserError, match=r"^trainer\.device=cuda: this device is not available here"):
        settle_training_settings(chosen)
