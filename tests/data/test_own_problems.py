"""Problems of a function of one's own: by split and seed, each wrong row named."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tvo_cli import data
from tvo_cli.errors import UserError
from tvo_cli.plugins import own_targets, plugin_loading

CODE = """
def good(split, seed, *, count=3):
    return [{"question": f"{split} {seed} {i}", "answer": i, "level": 2} for i in range(count)]
def endless(split):
    i = 0
    while True:
        yield {"question": str(i), "answer": "1"}
        i += 1
def no_split(*, count=3): return []
def text(split): return "abc"
def row(split): return [{"question": "q", "answer": "1"}, 7]
def empty(split): return [{"question": "q", "answer": "  "}]
def lacks(split): return [{"frage": "q"}]
def fails(split): raise KeyError("x")
def wide(split):
    further = {"difficulty": 0.5, "__class__": "hard", "set": {1}, "long": "x" * 9999}
    return [{"question": "q", "answer": "1", "level": 2, **further}]
def judged(split): return [{"question": "q", "answer": "1", "scorer": "judge.py:f"}]
def one_id(split): return [{"id": f"a{i % 2}", "question": str(i), "answer": "1"} for i in range(3)]
def number_as_id(split):
    return [{"question": "q", "answer": "1"}, {"id": "mine/train/0", "question": "r", "answer": "1"}]
def without_ids(split): return [{"id": empty, "question": f"q{empty}", "answer": "1"} for empty in (None, "", " ")]
def breaks(split):
    yield {"question": "q", "answer": "1"}
    1 / 0
def leaves(split):
    yield {"question": "q", "answer": "1"}
    raise SystemExit(3)
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(own_targets, "_allowed", ["rows.py"])
    monkeypatch.setattr(plugin_loading, "_loaded", {})
    (tmp_path / "rows.py").write_text(CODE)

    def of(name: str, split: str = "train", limit: int | None = None, **settings: Any) -> data.Problems:
        make = {"_target_": f"rows.py:{name}", **settings}
        return data.load({"kind": "own", "name": "mine", "make": make, "limit": limit}, split=split, seed=5)

    return of


def test_rows_become_problems_with_ids_and_texts(load: Any) -> None:
    found = load("good", split="test", count=2)
    assert found.size == 2 and found.name == "mine"
    assert (found.problem(1).id, found.problem(1).question, found.problem(1).answer, found.problem(1).level) == (
        "mine/test/1",
        "test 5 1",
        "1",
        "2",
    )
    assert load("endless", limit=4).size == 4


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_split", "takes no split"),
        ("text", "returned str, no list of rows"),
        ("row", "row mine/train/1 is int, no mapping"),
        ("empty", "row mine/train/0 has no answer"),
        ("lacks", "row mine/train/0 has no question (it has frage)"),
        ("fails", "failed: KeyError: 'x'"),
        ("one_id", "row mine/train/2 has the id 'a0' of row mine/train/0. Ids must be unique"),
        ("number_as_id", "row mine/train/1 has the id 'mine/train/0' of row mine/train/0"),
    ],
)
def test_what_is_wrong_is_named(load: Any, name: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        load(name)
    assert said in str(error.value) and str(error.value).startswith("dataset.make")


def test_an_empty_id_is_none_and_the_row_gets_its_number(load: Any) -> None:
    found = load("without_ids")
    assert [found.problem(i).id for i in range(3)] == ["mine/train/0", "mine/train/1", "mine/train/2"]


def test_further_columns_of_a_row_are_kept_as_those_of_a_file_are(load: Any) -> None:
    problem = load("wide").problem(0)
    assert (problem["difficulty"], problem["__class__"], problem["level"]) == (0.5, "hard", "2")
    assert set(problem.metadata) == {"difficulty", "__class__"}, "and none that is no JSON of bounded size"


@pytest.mark.parametrize("name", ["breaks", "leaves"])
def test_a_generator_that_fails_on_its_way_is_named_with_its_line(load: Any, name: str) -> None:
    with pytest.raises(UserError, match=rf"rows\.py:{name}: failed: \w+: .*\(rows\.py, line \d+\)"):
        load(name)


def test_a_scorer_of_own_code_is_named_by_the_config_which_records_it_not_by_a_row(load: Any) -> None:
    with pytest.raises(UserError, match=r"row mine/train/0 names the scorer judge\.py:f.*reward\.scorer=judge\.py:f"):
        load("judged")
