"""`tvo eval model.path=RUN` asks and computes as the run did, unless it is told otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import DictConfig, OmegaConf

from tests.experiment.test_automatic_settings import SMALL, composed
from tests.model.chat_models import save_model, talking_tokenizer
from tvo_cli.errors import UserError
from tvo_cli.experiment import evaluate, train
from tvo_cli.experiment.adopt_run_settings import adopt_run_judge, adopt_run_settings
from tvo_cli.experiment.run_of_policy import recorded_config_of_policy

ASKED = ("evaluation=[arithmetic]", "evaluation.limit=2", "decoding.samples=1", "decoding.greedy=false", "threads=1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a Gemma 2, which transformers refuses with sdpa, by its chat template without the word it ends with."""
    root = tmp_path_factory.mktemp("gemma")
    model = save_model(root / "model", "gemma2", talking_tokenizer())
    words = ("model=custom", f"model.path={model}", "model.attention=eager", "model.prompt.suffix=' ='")
    keywords = "model.prompt.chat_template_kwargs={deep: true}"
    train(composed(*words, keywords, *SMALL, f"output_dir={root / 'run'}"))
    return root / "run"


def evaluation_of(path: Path, *words: str) -> DictConfig:
    return composed(f"model.path={path}", *ASKED, *words, root="eval")


@pytest.mark.slow
def test_a_run_is_evaluated_with_its_own_attention_and_prompt(trained: Path, tmp_path: Path) -> None:
    said: list[str] = []
    chosen = evaluation_of(trained, "protocol=model", f"output_dir={tmp_path}")
    summary = evaluate(chosen, lambda step: None, ["model.path"], said.append)
    assert "model.attention=eager, as the run had it" in said
    kept: Any = yaml.safe_load((tmp_path / "config.yaml").read_text())["model"]
    assert kept["attention"] == "eager" and kept["dtype"] == "float32"
    assert kept["prompt"] == {
        **{"template": "chat", "system": None, "suffix": " ="},
        "chat_template_kwargs": {"deep": True},
    }
    assert summary["suites"]["arithmetic"]["protocol"] == "model"
    (row, *_) = (tmp_path / "responses.jsonl").read_text().splitlines()
    assert yaml.safe_load(row)["prompt"].endswith("= ") and " so" not in yaml.safe_load(row)["prompt"]


@pytest.mark.slow
@pytest.mark.parametrize("below", ["", "checkpoints/step-000001", "checkpoints/step-000001/policy"])
def test_a_run_is_known_by_its_folder_its_checkpoint_and_the_policy_in_it(trained: Path, below: str) -> None:
    chosen = evaluation_of(trained / below)
    assert adopt_run_settings(chosen, ["model.path"], lambda text: None)
    assert chosen.model.attention == "eager" and chosen.model.prompt.template == "chat"


def test_what_the_user_sets_stands(trained: Path) -> None:
    chosen = evaluation_of(trained, "model.attention=sdpa", "model.prompt={template: plain, system: null, suffix: x}")
    adopt_run_settings(chosen, ["model.path", "model.attention", "model.prompt"], lambda text: None)
    assert (chosen.model.attention, chosen.model.prompt.template, chosen.model.prompt.suffix) == ("sdpa", "plain", "x")


def test_another_prompt_than_that_of_training_is_said(trained: Path, tmp_path: Path) -> None:
    said: list[str] = []
    evaluate(evaluation_of(trained, f"output_dir={tmp_path}"), lambda step: None, ["model.path"], said.append)
    assert any("asks by another prompt than the run was trained with; protocol=model" in line for line in said)


def test_a_prompt_that_no_protocol_uses_is_said(trained: Path, tmp_path: Path) -> None:
    said: list[str] = []
    chosen = evaluation_of(trained, "model.prompt.suffix=x", f"output_dir={tmp_path}")
    evaluate(chosen, lambda step: None, ["model.path", "model.prompt.suffix"], said.append)
    assert any("model.prompt is not used" in line for line in said)


@pytest.mark.slow
def test_protocol_model_ends_responses_as_the_run_did(trained: Path, tmp_path: Path) -> None:
    recorded: Any = yaml.safe_load((trained / "config.yaml").read_text())
    recorded["rollout"]["stop"] = ["1", "<|im_start|>"]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(recorded))
    said: list[str] = []
    chosen = evaluation_of(tmp_path, "protocol=model")
    adopt_run_settings(chosen, ["model.path", "protocol"], said.append)
    assert chosen.protocol.stop == ["1", "<|im_start|>"]
    assert "protocol.stop=['1', '<|im_start|>'], as the run had it" in said
    for words in (("protocol=boxed",), ("protocol=model", "protocol.stop=[x]"), ("protocol=model", "protocol.stop=[]")):
        chosen = evaluation_of(tmp_path, *words)
        before = chosen.protocol.stop
        adopt_run_settings(chosen, ["model.path", "protocol", "protocol.stop"], said.append)
        assert chosen.protocol.stop == before


def test_a_folder_that_is_no_run_is_asked_as_any_model(tmp_path: Path) -> None:
    model = save_model(tmp_path, "llama")
    assert recorded_config_of_policy(str(model)) is None and recorded_config_of_policy("OWNER/NAME") is None
    chosen = evaluation_of(model)
    assert chosen.model.dtype == "float32", "the embedded model's, which stands there by default"
    assert not adopt_run_settings(chosen, ["model.path"], lambda text: None)
    assert (chosen.model.dtype, chosen.model.prompt.template) == ("auto", "auto")
    (tmp_path / "config.yaml").write_text("model: {name: theirs}\n")
    assert recorded_config_of_policy(str(model)) is None


def test_a_run_in_bfloat16_arithmetic_is_evaluated_as_the_device_likes_it(trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    recorded: Any = yaml.safe_load((trained / "config.yaml").read_text())
    recorded["trainer"]["precision"] = "bfloat16"
    (run / "config.yaml").write_text(yaml.safe_dump(recorded))
    chosen = evaluation_of(run)
    adopt_run_settings(chosen, ["model.path"], lambda text: None)
    assert chosen.model.dtype == "auto"


def judged_config(*suites: str) -> DictConfig:
    reward = {"scorer": None, "unboxed": "wrong"}
    return OmegaConf.create({"reward": reward, "evaluation": {"suites": {name: {} for name in suites}}})


def test_the_judge_of_a_run_judges_its_held_out_problems_and_no_other_suite() -> None:
    recorded = OmegaConf.create({"reward": {"scorer": "judge.py:judge", "unboxed": "whole"}})
    config, said = judged_config("heldout"), list[str]()
    adopt_run_judge(config, recorded, ["reward.unboxed"], said.append)
    assert config.reward == {"scorer": "judge.py:judge", "unboxed": "wrong"}  # what the user gave stands
    assert said == ["reward.scorer=judge.py:judge, as the run had it"]
    with pytest.raises(UserError, match=r"evaluation=heldout\+math500: the run was judged by reward\.scorer=judge"):
        adopt_run_judge(judged_config("heldout", "math500"), recorded, [], said.append)
