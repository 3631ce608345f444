"""Few-shot sums against Python's own, train and held-out apart."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tvo_cli import config, data
from tvo_cli.data.chain_sums import ChainSumsProblems, ChainSumsSettings
from tvo_cli.errors import UserError

SOLVED = re.compile(r"(\d+(?: \+ \d+)+) = \\boxed\{(\d+)\}")


def make(split: str = "train", seed: int = 0, **settings: Any) -> ChainSumsProblems:
    return ChainSumsProblems(ChainSumsSettings(**settings), split=split, seed=seed)


def asked(question: str) -> str:
    return question.splitlines()[-1].removesuffix(" =")


def total(text: str) -> int:
    return sum(map(int, text.split(" + ")))


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_line_is_a_sum_and_solved_lines_are_right(split: str) -> None:
    problems = make(split, terms=(2, 3))
    for index in range(300):
        problem = problems.problem(index)
        *solved, _ = problem.question.splitlines()
        assert len(solved) == 4
        for line in solved:
            found = SOLVED.fullmatch(line)
            assert found and total(found[1]) == int(found[2])
        assert int(problem.answer) == total(asked(problem.question))
        assert problem.level == str(asked(problem.question).count("+") + 1)
        first, *further = map(int, asked(problem.question).split(" + "))
        assert 1 <= first <= 49 and all(1 <= number <= 3 for number in further)


def test_no_held_out_sum_is_trained_or_seen_solved() -> None:
    train, test = ([make(split).problem(i).question for i in range(2000)] for split in ("train", "test"))
    held_out = set(map(asked, test))
    solved = {found[1] for text in (*train, *test) for found in SOLVED.finditer(text)}
    assert len(held_out) > 10
    assert held_out.isdisjoint(map(asked, train)) and held_out.isdisjoint(solved)


def test_a_held_out_sum_is_not_trained_in_another_order() -> None:
    train, test = (
        {"+".join(sorted(asked(make(split, further=(1, 49)).problem(i).question).split(" + "))) for i in range(2000)}
        for split in ("train", "test")
    )
    assert len(test) > 50 and train.isdisjoint(test)


def test_the_asked_sum_is_not_among_its_solved_lines() -> None:
    problems = make(first=(1, 5), further=(1, 2))
    for index in range(300):
        question = problems.problem(index).question
        assert asked(question) not in {found[1] for found in SOLVED.finditer(question)}


def test_a_problem_is_a_pure_function_of_seed_split_and_index() -> None:
    assert make().problem(7) == make().problem(7) != make(seed=1).problem(7)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"first": (5, 4)}, "dataset.first"),
        ({"terms": (1, 2)}, "dataset.terms"),
        ({"shots": -1}, "dataset.shots"),
        ({"first": (1, 999)}, "dataset.first"),
    ],
)
def test_settings_that_make_no_task_are_refused(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(UserError) as refused:
        make(**settings)
    assert refused.value.key == key


def test_so_few_sums_that_a_split_has_none_are_refused() -> None:
    with pytest.raises(UserError, match="none is left for the"):
        for split in ("train", "test"):
            make(split, first=(1, 1), further=(1, 1)).problem(0)


@pytest.mark.slow
def test_the_data_set_ends_responses_at_the_line_break_in_training_and_evaluation() -> None:
    run = config.compose(["dataset=chain_sums"])
    assert list(run.rollout.stop) == ["\n"] and run.rollout.max_tokens == 16
    assert data.load(run.dataset, split="train", seed=3).problem(0) == make(seed=3).problem(0)
    assert list(config.compose(["dataset=chain_sums", "rollout.stop=[]"]).rollout.stop) == []
    assert list(config.compose([]).rollout.stop) == []


@pytest.mark.slow
def test_a_suite_takes_the_stops_of_its_data_set_unless_its_protocol_names_some() -> None:
    from tvo_cli.evaluation.suite import load_suites

    def stops(*overrides: str) -> tuple[str, ...]:
        return load_suites(config.compose(["evaluation=chain_sums", *overrides], "eval"))[0].protocol.stop

    assert stops() == ("\n",)
    assert stops("protocol.stop=[]") == ()
    assert stops("protocol.stop=['=']") == ("=",)


@pytest.mark.slow
def test_the_data_set_is_asked_without_a_chat_template_and_others_in_the_models_way() -> None:
    def template(*overrides: str) -> str:
        return str(config.compose([*overrides, "output_dir=x"]).model.prompt.template)

    for model in ("smollm2-135m", "gemma3-270m"):
        assert template(f"model={model}", "dataset=chain_sums") == "plain"
        assert template(f"model={model}", "dataset=gsm8k") == "chat"
        assert template(f"model={model}", "dataset=chain_sums", "model.prompt.template=chat") == "chat"
