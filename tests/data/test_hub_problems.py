"""Rows in the hub's shapes, and `load_dataset` on local stand-ins through the same code path."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tvo_cli import data
from tvo_cli.data import hub_problems
from tvo_cli.data.hub_problems import problems_of_hub_rows, read_hub_split
from tvo_cli.errors import UserError

CONF = Path(__file__).parent.parent.parent / "conf" / "dataset"


@pytest.fixture
def preset() -> Callable[..., dict[str, Any]]:
    """A hub yaml as it ships, laid over conf/dataset/hub.yaml."""

    def read(name: str, **more: object) -> dict[str, Any]:
        from omegaconf import OmegaConf

        merged = OmegaConf.merge(OmegaConf.load(CONF / "hub.yaml"), OmegaConf.load(CONF / f"{name}.yaml"), more)
        known: Any = OmegaConf.to_container(merged)
        return {key: value for key, value in known.items() if key != "defaults"}

    return read


def test_hendrycks_math_has_no_answer_column(preset: Callable[..., dict[str, Any]]) -> None:
    rows = [
        {"problem": "p0", "level": "Level 5", "type": "Algebra", "solution": r"$\boxed{1}$ so $\boxed{\frac{1}{2}}$."},
        {"problem": "p1", "level": "Level ?", "type": "Geometry", "solution": r"$\boxed{}$"},
        {"problem": "p2", "level": "Level ?", "type": "Geometry", "solution": r"$\boxed{x^2}$"},
    ]
    first, last = problems_of_hub_rows(rows, preset("math"), "math/algebra/train")
    assert (first.id, first.answer, first.level, first.subject) == (
        "math/algebra/train/0",
        r"\frac{1}{2}",
        "5",
        "Algebra",
    )
    assert (last.id, last.answer, last.level) == ("math/algebra/train/2", "x^2", "")


def test_math500(preset: Callable[..., dict[str, Any]]) -> None:
    row = {
        "problem": "p",
        "solution": r"\boxed{3}",
        "answer": "4",
        "subject": "Algebra",
        "level": 2,
        "unique_id": "test/algebra/1.json",
    }
    (problem,) = problems_of_hub_rows([row], preset("math500"), "")
    assert (problem.id, problem.answer, problem.level) == ("test/algebra/1.json", "4", "2")


def test_aime_golds_lose_their_zeros(preset: Callable[..., dict[str, Any]]) -> None:
    row = {"id": 60, "problem": "p", "solution": "…", "answer": "033", "url": "u", "year": "2024"}
    (problem,) = problems_of_hub_rows([row], preset("aime24"), "")
    assert (problem.id, problem.answer, problem.scorer, problem.source) == ("60", "33", "integer", "aime24")


def test_aime_copies_with_capitals_or_without_answers(preset: Callable[..., dict[str, Any]]) -> None:
    guessed = preset("hub", scorer="integer")
    capital = {"ID": "2024-II-4", "Problem": "p", "Solution": "…", "Answer": 33}
    boxed = {"id": 0, "problem": "p", "solution": r"\boxed{204}", "url": "u"}
    first, second = problems_of_hub_rows([capital, boxed], guessed, "")
    assert (first.id, first.question, first.answer) == ("2024-II-4", "p", "33")
    assert (second.id, second.answer) == ("0", "204")


def test_gsm8k(preset: Callable[..., dict[str, Any]]) -> None:
    rows = [{"question": "q", "answer": "She has <<1000+234=1234>>1,234.\n#### 1,234"}]
    (problem,) = problems_of_hub_rows(rows, preset("gsm8k"), "gsm8k/main/test")
    assert (problem.id, problem.answer) == ("gsm8k/main/test/0", "1234")
    with pytest.raises(UserError, match=r"row 0 has no answer: nothing follows '####'"):
        list(problems_of_hub_rows([{"question": "q", "answer": "12"}], preset("gsm8k"), ""))


DAPO = (
    "Solve the following math problem step by step. The last line of your response should be of the form Answer: "
    "$Answer (without quotes) where $Answer is the answer to the problem.\n\n{}\n\n"
    'Remember to put your answer on its own line after "Answer:".'
)


def dapo_row(question: str, answer: str, index: str) -> dict[str, Any]:
    return {
        "data_source": "math_dapo",
        "prompt": [{"content": DAPO.replace("{}", question), "role": "user"}],
        "ability": "MATH",
        "reward_model": {"ground_truth": answer, "style": "rule-lighteval/MATH_v2"},
        "extra_info": {"index": index},
    }


def test_dapo_is_stripped_and_deduplicated(preset: Callable[..., dict[str, Any]]) -> None:
    rows = [dapo_row("How many?", "34", "a"), dapo_row("How much?", "-5", "b")] * 100
    first, second = problems_of_hub_rows(rows, preset("dapo17k"), "")
    assert (first.id, first.question, first.answer) == ("a", "How many?", "34")
    assert (second.id, second.question, second.answer) == ("b", "How much?", "-5")


def test_of_a_question_the_first_row_with_an_answer_is_kept_where_those_without_are_skipped(
    preset: Callable[..., dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """`How many?`: none, none, 34, 35, none; `How much?`: none. Three have no answer before them, two have."""
    many, much = "How many?", "How much?"
    rows = [dapo_row(many, answer, f"a{n}") for n, answer in enumerate(("", "", "34", "35", ""))]
    caplog.set_level("INFO", "tvo")
    found = list(problems_of_hub_rows([*rows, dapo_row(much, "", "b")], preset("dapo17k", unanswered="skip"), "dapo"))
    assert [(one.id, one.question, one.answer) for one in found] == [("a2", many, "34")]
    assert [record.getMessage() for record in caplog.records] == [
        "dapo: 3 rows without an answer are skipped",
        "dapo: 2 rows that repeat a question are left out",
    ]


def test_dapo_can_be_held_out_of(preset: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    import datasets

    rows = [dapo_row(f"How many {n}?", str(n), f"i{n}") for n in range(30)] * 2
    (tmp_path / "data").mkdir()
    datasets.Dataset.from_list(rows).to_parquet(tmp_path / "data" / "train-00000.parquet")
    node = preset("dapo17k", id=str(tmp_path), revision=None, holdout=6)
    train, test = (data.load(node, split=split, seed=0) for split in ("train", "test"))
    assert (train.size, test.size) == (24, 6)
    together = {p.problem(i).question for p in (train, test) for i in range(p.size or 0)}
    assert together == {f"How many {n}?" for n in range(30)}


def stand_in(folder: Path, configurations: dict[str, dict[str, list[dict[str, Any]]]]) -> Path:
    """A local folder in the hub's layout: a card that names configurations, and one file a split."""
    card = ["---", "configs:"]
    for name, splits in configurations.items():
        card += [f"- config_name: {name}", "  data_files:"]
        for split, rows in splits.items():
            file = folder / name / f"{split}.jsonl"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
            card += [f"  - split: {split}", f"    path: {name}/{split}.jsonl"]
    (folder / "README.md").write_text("\n".join([*card, "---", ""]))
    return folder


def math_rows(topic: str, count: int) -> list[dict[str, Any]]:
    return [
        {"problem": f"{topic} {n}", "level": f"Level {1 + n % 5}", "type": topic, "solution": rf"\boxed{{{n}}}"}
        for n in range(count)
    ]


def test_all_configurations_are_read_after_one_another(preset: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    node = preset("math", revision=None, holdout=0)
    topics = node["configurations"]
    assert len(topics) == 7
    folder = stand_in(tmp_path, {t: {"train": math_rows(t, 10), "test": math_rows(t + "!", 5)} for t in topics})
    train = data.load(node | {"id": str(folder)}, split="train", seed=0)
    test = data.load(node | {"id": str(folder), "levels": [1, 2]}, split="test", seed=0)
    assert (train.size, test.size) == (70, 14)
    assert (train.problem(10).question, train.problem(10).answer) == ("counting_and_probability 0", "0")
    assert len({train.problem(index).id for index in range(70)}) == 70


def test_evaluation_data_have_no_train_split(preset: Callable[..., dict[str, Any]]) -> None:
    for name in ("math500", "aime24"):
        with pytest.raises(UserError, match=r"no train split: it is for evaluation alone.*dataset=math"):
            data.load(preset(name), split="train", seed=0)


def test_aime_is_tested_on_the_split_called_train(preset: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    rows = [{"id": 60 + n, "problem": f"p{n}", "answer": f"{n:03d}"} for n in range(30)]
    folder = stand_in(tmp_path, {"default": {"train": rows}})
    problems = data.load(preset("aime24", id=str(folder), revision=None), split="test", seed=0)
    assert problems.size == 30
    assert problems.problem(7).answer == "7"


def test_without_network_the_way_on_is_named(preset: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(UserError) as caught:
        data.load(preset("math500"), split="test", seed=0)
    assert caught.value.key == "dataset.id"
    assert "dataset=jsonl dataset.path=" in caught.value.remedy


def test_unknown_configurations_and_splits(preset: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    folder = stand_in(tmp_path, {"default": {"train": math_rows("a", 3)}})
    node = preset("hub", id=str(folder))
    with pytest.raises(UserError, match=r"dataset\.splits=nothing"):
        data.load(node | {"splits": {"train": "nothing"}}, split="train", seed=0)
    with pytest.raises(UserError, match="medium"):
        data.load(node | {"configurations": ["medium"]}, split="train", seed=0)
    with pytest.raises(UserError, match=r"dataset\.id=None"):
        data.load(preset("hub"), split="train", seed=0)


def test_two_rows_with_one_id(preset: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    rows = [{"id": 1, "question": "a", "answer": "1"}, {"id": 1, "question": "b", "answer": "2"}]
    folder = stand_in(tmp_path, {"default": {"train": rows}})
    with pytest.raises(UserError, match=r"dataset\.columns\.id=1: two rows"):
        data.load(preset("hub", id=str(folder)), split="train", seed=0)


def test_every_preset_pins_a_commit(preset: Callable[..., dict[str, Any]]) -> None:
    for name in ("math", "math500", "aime24", "gsm8k", "dapo17k"):
        revision = preset(name)["revision"]
        assert len(revision) == 40
        assert set(revision) <= set("0123456789abcdef")


def test_a_column_that_no_row_of_a_split_has_is_refused(
    preset: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"problem": "p", "solution": r"\boxed{1}"}]
    monkeypatch.setattr(hub_problems, "_hub_rows", lambda *_: iter(rows))
    with pytest.raises(UserError, match=r"dataset\.columns\.answer=wert: no row has this column"):
        read_hub_split(preset("hub", columns={"answer": "wert"}), "train")
    assert len(read_hub_split(preset("math"), "train")) == 7  # whose copies may lack a level
