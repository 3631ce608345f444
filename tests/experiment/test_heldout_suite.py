"""`tvo eval model.path=RUN` asks the problems that the run held out, as the run asked them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from tests.experiment.test_automatic_settings import composed
from tvo_cli import data
from tvo_cli.config import resolved_tree
from tvo_cli.data.problems import ProblemList
from tvo_cli.data.prompts import render_prompt
from tvo_cli.errors import UserError
from tvo_cli.evaluation.suite import load_suites
from tvo_cli.experiment.adopt_run_settings import adopt_run_settings
from tvo_cli.experiment.heldout_suite import fill_heldout_suite, notes_on_changed_problems
from tvo_cli.experiment.run_of_policy import recorded_config_of_policy
from tvo_cli.training.resume.same_dataset import dataset_fingerprints
from tvo_cli.types import Problem

OWN = ("dataset=jsonl", "dataset.columns.question=task", "dataset.suffix=' ='", "model.prompt.system=sum", "seed=3")
MIXED: tuple[str, ...] = (
    "dataset=mixture",
    "+dataset@dataset.sources.a=arithmetic",
    "+dataset@dataset.sources.b=jsonl",
)
MIXED += ("dataset.sources.a.suffix=' so'", "dataset.sources.b.columns.question=task", "rollout.stop=[Q]")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps({"task": f"{n} + 1", "answer": n + 1}) + "\n" for n in range(40)))
    return path


def recorded_run(folder: Path, *words: str) -> Any:
    config = composed(*words, f"output_dir={folder}")
    folder.mkdir()
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(config, resolve=True))
    return config


def heldout_of(run: Path, *words: str) -> Any:
    """The suite of an evaluation of the run, as it is asked."""
    chosen = composed(f"model.path={run}", "evaluation=[heldout]", *words, root="eval")
    given = ["model.path", "evaluation", *(word.partition("=")[0] for word in words)]
    adopt_run_settings(chosen, given, lambda text: None)
    fill_heldout_suite(chosen, recorded_config_of_policy(str(run)), given, lambda text: None)
    [suite] = load_suites(chosen)
    return suite


def prompts_of_run(config: Any) -> list[str]:
    """The prompts of a run's own evaluation."""
    problems = data.load(resolved_tree(config.dataset), split="test", seed=int(config.evaluation.seed))
    count = min(int(config.evaluation.problems), problems.size or 10**9)
    prompt = resolved_tree(config.model.prompt)
    return [render_prompt(problems.problem(index), prompt, None) for index in range(count)]


@pytest.mark.slow
def test_the_held_out_rows_of_own_data_are_asked_as_in_training(tmp_path: Path, file: Path) -> None:
    config = recorded_run(tmp_path / "run", *OWN, f"dataset.path={file}", "evaluation.samples=3", "dataset.holdout=7")
    suite = heldout_of(tmp_path / "run")
    asked = [suite.protocol.render(problem, None) for problem in suite.problems]
    assert asked == prompts_of_run(config) and len(asked) == 7 and asked[0].startswith("sum\n\n")
    assert suite.protocol.decoding.samples == 3 and suite.protocol.max_tokens == config.evaluation.max_tokens
    changed = heldout_of(tmp_path / "run", "evaluation.suites.heldout.dataset.holdout=9", "protocol.suffix=x")
    assert len(changed.problems) == 9 and changed.protocol.suffix == "x"


def test_each_source_of_a_mixture_keeps_its_suffix_and_the_run_its_stop(tmp_path: Path, file: Path) -> None:
    config = recorded_run(tmp_path / "run", *MIXED, f"dataset.sources.b.path={file}", "evaluation.problems=6")
    suite = heldout_of(tmp_path / "run")
    asked = [suite.protocol.render(problem, None) for problem in suite.problems]
    assert asked == prompts_of_run(config) and sum(text.endswith(" so") for text in asked) == 3
    assert suite.protocol.stop == ("Q",)


def test_what_no_run_has_held_out_is_refused() -> None:
    chosen = composed("evaluation=[heldout]", root="eval")
    with pytest.raises(UserError, match=r"^evaluation=heldout: no run has trained model\.path=packaged:tiny\."):
        fill_heldout_suite(chosen, None, (), lambda text: None)


def checkpoint_of(run: Path, problems: Sequence[Problem]) -> None:
    """A checkpoint that knows no more than which problems the run held out."""
    place = run / "checkpoints" / "step-000001"
    place.mkdir(parents=True)
    (place / "state.json").write_text(json.dumps({"origin": dataset_fingerprints(ProblemList("own", []), problems)}))


@pytest.mark.slow
def test_problems_that_the_run_did_not_hold_out_are_named(tmp_path: Path, file: Path) -> None:
    run = tmp_path / "run"
    recorded_run(run, *OWN, f"dataset.path={file}")
    suite, whole = heldout_of(run), {"limit": None, "ids": None}
    assert not list(notes_on_changed_problems([suite], str(run), whole)), "no checkpoint says what was held out"
    checkpoint_of(run, suite.problems)
    assert not list(notes_on_changed_problems([suite], str(run), whole))
    file.write_text(file.read_text().replace('"answer": 1', '"answer": 2'))
    [note] = notes_on_changed_problems([heldout_of(run)], str(run), whole)
    assert note.startswith(f"heldout: these are not the problems that {run} held out")
    assert not list(notes_on_changed_problems([heldout_of(run)], str(run), {"limit": 3, "ids": None})), (
        "a part is meant"
    )
