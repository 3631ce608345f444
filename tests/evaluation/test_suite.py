"""A suite's data: what goes wrong is told with the keys that `tvo eval` has."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tvo_cli import config
from tvo_cli.errors import UserError
from tvo_cli.evaluation import suite

OWN = '{"story": "What is 1+1?", "final": "2"}\n'


def refused(*words: str) -> str:
    with pytest.raises(UserError) as caught:
        suite.load_suites(config.compose(list(words), "eval"))
    return str(caught.value)


def test_a_column_is_named_by_a_key_that_exists_there(tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text(OWN)
    words = ["evaluation=[jsonl]", f"path={tmp_path}/own.jsonl"]
    said = refused(*words)
    assert said.startswith(f"path={tmp_path}/own.jsonl: line 1 has no column question")
    assert "evaluation.suites.jsonl.dataset.columns.question=NAME" in said and " dataset.columns" not in said
    named = [f"evaluation.suites.jsonl.dataset.columns.{key}={name}" for key, name in (("question", "story"),)]
    assert "evaluation.suites.jsonl.dataset.columns.answer=NAME" in refused(*words, *named)
    config.compose([*words, *named, "evaluation.suites.jsonl.dataset.columns.answer=final"], "eval")


def test_the_file_is_the_commands_path(tmp_path: Path) -> None:
    assert refused("evaluation=[jsonl]", f"path={tmp_path}/none.jsonl").startswith(
        f"path={tmp_path}/none.jsonl: no such file"
    )
    assert "path=FILE.jsonl" in refused("evaluation=[jsonl]")


def test_another_suite_has_its_own_key() -> None:
    said = refused("evaluation=[arithmetic]", "evaluation.suites.arithmetic.dataset.operations=[3,2]")
    assert said.startswith("evaluation.suites.arithmetic.dataset.operations=[3, 2]")


def test_an_id_that_is_like_none_is_told_what_one_looks_like() -> None:
    problems = [SimpleNamespace(id=f"arithmetic/4242/test/{n}") for n in range(60)]
    with pytest.raises(UserError, match=r"^evaluation\.ids=zzz: .* An id is arithmetic/4242/test/0, for example\.$"):
        suite._check_problem_ids(["zzz"], [SimpleNamespace(problems=problems)])  # type: ignore[list-item]
