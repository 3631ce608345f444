"""`protocol=diffadapt` from its command to its numbers: labels of other problems, one probe for all that goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.evaluation.suite import few_shot_question_fingerprint, load_suites
from tvo_cli.experiment.build_strategies import check_adaptive_engine
from tvo_cli.experiment.run_evaluation import evaluate
from tvo_cli.experiment.strategy_labels import training_problems
from tvo_cli.experiment.strategy_probe import FACTS
from tvo_cli.model.difficulty_probe import NAME

BARE = ("protocol.suffix=", "protocol.adapt.easy.suffix=", "protocol.adapt.hard.suffix=")  # words it does not know
WORDS = (
    *("protocol=diffadapt", *BARE, "protocol.adapt.problems=20", "protocol.adapt.samples=4", "evaluation=[arithmetic]"),
    *("protocol.adapt.easy.token_share=1", "protocol.adapt.normal_entropy=0.55", "protocol.adapt.normal_accuracy=0.7"),
    *("protocol.adapt.hard_accuracy=0.3", "decoding.samples=2", "decoding.greedy=false", "evaluation.limit=24"),
)


def composed(folder: Path, *words: str) -> Any:
    chosen = config.compose([*WORDS, *words], "eval")
    chosen.output_dir = str(folder)
    return chosen


def asked(folder: Path, *words: str) -> dict[str, Any]:
    return evaluate(composed(folder, *words), lambda progress: None, tell=lambda note: None)


def test_only_the_programs_own_loop_shows_hidden_states() -> None:
    with pytest.raises(UserError, match=r"rollout=vllm.* protocol\.adapt.* rollout=default"):
        check_adaptive_engine(OmegaConf.create({"rollout": {"engine": "vllm"}, "protocol": {"adapt": {"probe": None}}}))
    both = {"rollout": {}, "protocol": {"adapt": {"probe": None}, "switch": {"small": "packaged:tiny"}}}
    with pytest.raises(UserError, match=r"protocol\.adapt=.*Take one of them"):
        check_adaptive_engine(OmegaConf.create(both))


@pytest.mark.slow
def test_a_probe_is_trained_on_other_problems_and_decides_how_each_is_asked(tmp_path: Path) -> None:
    summary = asked(tmp_path / "a")
    facts = json.loads((tmp_path / "a" / FACTS).read_text())
    (suite,) = load_suites(composed(tmp_path / "a"))
    evaluated = {few_shot_question_fingerprint(problem.asked) for problem in suite.problems}
    assert len(evaluated & set(facts["questions"])) == 0 and len(set(facts["questions"])) == 20
    assert facts["label_tokens"] > 20 * 4 and sum(facts["labels"].values()) == 20 and facts["held_out"] == 4
    rows = [json.loads(line) for line in (tmp_path / "a" / "responses.jsonl").read_text().splitlines()]
    given = {row["id"]: row["strategy"]["name"] for row in rows}
    assert len(set(given.values())) > 1, "thresholds at which labels differ"
    limit = suite.protocol.max_tokens
    shares = {"easy": limit, "normal": limit, "hard": round(0.5 * limit)}
    assert all(row["tokens"] <= shares[given[row["id"]]] for row in rows)
    found = summary["suites"]["arithmetic"]["probe"]
    assert sum(found[name]["problems"] for name in set(given.values())) == len(evaluated)
    assert found["probe_tokens"] == sum({row["id"]: row["strategy"]["read"] for row in rows}.values()) > 0
    assert summary["probe"]["label_tokens"] == facts["label_tokens"] and "questions" not in summary["probe"]


@pytest.mark.slow
def test_a_training_problem_that_is_asked_is_not_labelled(tmp_path: Path) -> None:
    chosen = composed(tmp_path, "protocol.adapt.problems=6")
    (suite,) = load_suites(chosen)
    first = training_problems(chosen, suite, set())
    asked = {few_shot_question_fingerprint(problem.asked) for problem in first[:4]}
    left = training_problems(chosen, suite, asked)
    assert len(first) == len(left) == 6
    assert asked.isdisjoint(few_shot_question_fingerprint(problem.asked) for problem in left)


@pytest.mark.slow
def test_it_goes_on_with_its_probe_and_another_evaluation_may_take_it(tmp_path: Path) -> None:
    whole = asked(tmp_path / "a")
    probe, lines = (
        (tmp_path / "a" / NAME).read_bytes(),
        (tmp_path / "a" / "responses.jsonl").read_text().splitlines(True),
    )
    (tmp_path / "a" / "responses.jsonl").write_text("".join(lines[:-5]))
    again = asked(tmp_path / "a")
    assert (tmp_path / "a" / NAME).read_bytes() == probe
    assert again["suites"]["arithmetic"]["avg"] == whole["suites"]["arithmetic"]["avg"]
    other = asked(tmp_path / "b", f"protocol.adapt.probe={tmp_path / 'a'}", "evaluation.limit=8")
    assert other["probe"]["sha256"] == whole["probe"]["sha256"] and not (tmp_path / "b" / NAME).exists()


@pytest.mark.slow
def test_a_probe_that_has_learnt_what_is_asked_is_refused(tmp_path: Path) -> None:
    asked(tmp_path / "a")
    facts = json.loads((tmp_path / "a" / FACTS).read_text())
    (suite,) = load_suites(composed(tmp_path / "a"))
    facts["questions"][0] = few_shot_question_fingerprint(suite.problems[0].asked)
    (tmp_path / "a" / FACTS).write_text(json.dumps(facts))
    with pytest.raises(UserError, match=r"^protocol\.adapt\.probe=.*has learnt 1 of the problems that are asked"):
        asked(tmp_path / "b", f"protocol.adapt.probe={tmp_path / 'a'}")
