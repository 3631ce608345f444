"""The first embedded task against an evaluation written independently of the generator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.processor_time import loops
from tvo_cli.data.arithmetic import ArithmeticProblems, ArithmeticSettings
from tvo_cli.data.vocabulary import OPENERS, WORDS
from tvo_cli.errors import UserError


def make(split: str = "train", seed: int = 0, **settings: Any) -> ArithmeticProblems:
    return ArithmeticProblems(ArithmeticSettings(**settings), split=split, seed=seed)


def worked(question: str, modulus: int) -> list[int]:
    """Slow and obvious: read the text of the question from left to right."""
    words = question.removesuffix(" =").split(" ")
    value, values = int(words[0]), []
    for sign, number in zip(words[1::2], words[2::2], strict=True):
        value = {"+": value + int(number), "-": value - int(number), "*": value * int(number)}[sign] % modulus
        values.append(value)
    return values


def test_one_question_worked_by_hand() -> None:
    assert worked("7 + 3 * 12 - 4 * 2 + 9 =", 16) == [10, 8, 4, 8, 1]


@pytest.mark.parametrize("split", ["train", "test"])
def test_answers_match_an_independent_evaluation(split: str) -> None:
    problems = make(split)
    for index in range(300):
        problem = problems.problem(index)
        assert len(problem.question.split(" ")) == 12
        assert problem.answer == str(worked(problem.question, 16)[-1])
        assert (problem.level, problem.scorer, problem.source) == ("5", "integer", "arithmetic")


def test_a_problem_is_a_pure_function_of_its_index() -> None:
    forward = [make().problem(index) for index in range(20)]
    backward = [make().problem(index) for index in reversed(range(20))][::-1]
    assert forward == backward
    assert len({problem.id for problem in forward}) == 20
    assert make(seed=1).problem(0) != forward[0]


def test_the_stream_is_the_same_on_every_machine() -> None:
    """A golden value: seeds of published runs depend on it."""
    problem = make().problem(0)
    assert (problem.id, problem.question) == ("arithmetic/0/train/0", "1 - 15 + 4 + 1 * 2 + 3 =")


def test_train_and_test_share_no_question_even_in_a_tiny_world() -> None:
    asked = {
        split: {make(split, modulus=4, operations=(1, 1)).problem(index).question for index in range(400)}
        for split in ("train", "test")
    }
    assert asked["train"].isdisjoint(asked["test"])
    assert len(asked["train"]) + len(asked["test"]) == 3 * 4 * 4


def test_a_world_without_test_questions_is_an_error_and_no_endless_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tvo_cli.data.arithmetic.split_of_question", lambda question: "train")
    with pytest.raises(UserError, match=r"dataset\.modulus=2: .*test split"):
        make("test", modulus=2, operations=(1, 1)).problem(0)


def test_numbers_and_operators_are_uniform() -> None:
    words = Counter(word for index in range(2000) for word in make().problem(index).question.split(" ")[:-1])
    for sign in "+-*":
        assert words[sign] / 10_000 == pytest.approx(1 / 3, abs=0.02)
    for number in range(16):
        assert words[str(number)] / 12_000 == pytest.approx(1 / 16, abs=0.01)


def test_levels_are_numbers_of_operations() -> None:
    problems = make(operations=(1, 4))
    levels = Counter(problems.problem(index).level for index in range(2000))
    assert set(levels) == {"1", "2", "3", "4"}
    assert all(count / 2000 == pytest.approx(0.25, abs=0.04) for count in levels.values())
    assert all(int(problem.level) == len(worked(problem.question, 16)) for problem in map(problems.problem, range(50)))


def steps(problems: ArithmeticProblems, index: int, seed: int = 0) -> Iterator[tuple[tuple[str, int, int], int, int]]:
    """(operator, a, b), right result and the teacher's result of every step, with the teacher's own a."""
    words = problems.problem(index).question.removesuffix(" =").split(" ")
    said = problems.teacher_solution(index, seed).split(" ")
    value = int(words[0])
    for sign, number, word in zip(words[1::2], words[2::2], said[1:10:2], strict=True):
        right = worked(f"{value} {sign} {number} =", 16)[0]
        yield (sign, value, int(number)), right, int(word)
        value = int(word)


def test_the_teacher_errs_as_often_as_the_settings_say() -> None:
    """20,000 steps: 1/4 of the table wrong half of the time, the rest 6%: 0.25 · 0.5 + 0.75 · 0.06 = 0.17."""
    problems, tried, wrong = make(), Counter[tuple[str, int, int]](), Counter[tuple[str, int, int]]()
    values: dict[tuple[str, int, int], set[int]] = {}
    for index in range(4000):
        for entry, right, said in steps(problems, index):
            tried[entry] += 1
            if said != right:
                wrong[entry] += 1
                values.setdefault(entry, set()).add(said)
    assert sum(wrong.values()) / sum(tried.values()) == pytest.approx(0.17, abs=0.02)
    assert all(len(found) == 1 for found in values.values()), "an entry is always wrong in the same way"
    often = [entry for entry, count in tried.items() if count >= 12]
    hard = [entry for entry in often if wrong[entry] / tried[entry] > 0.28]
    assert len(hard) / len(often) == pytest.approx(0.25, abs=0.06)
    assert sum(wrong[e] for e in hard) / sum(tried[e] for e in hard) == pytest.approx(0.5, abs=0.03)
    easy = set(often) - set(hard)
    assert sum(wrong[e] for e in easy) / sum(tried[e] for e in easy) == pytest.approx(0.06, abs=0.01)


def test_a_teacher_without_errors_is_right() -> None:
    problems = make(hard_error=0.0, easy_error=0.0)
    assert all(said == right for index in range(50) for _, right, said in steps(problems, index))


def test_a_teacher_that_always_errs_is_never_right() -> None:
    problems = make(hard_error=1.0, easy_error=1.0)
    assert all(said != right for index in range(50) for _, right, said in steps(problems, index))


def test_a_solution_has_the_agreed_form() -> None:
    openers = Counter[str]()
    for index in range(800):
        words = make().teacher_solution(index, 0).split(" ")
        assert len(words) == 13
        assert words[10:] == ["\\boxed{", words[9], "}"]
        assert set(words[2:9:2]) <= {"then", "next", "so"}
        openers[words[0]] += 1
    assert set(openers) == set(OPENERS) == set(make().neutral_words)
    assert all(count / 800 == pytest.approx(1 / 8, abs=0.04) for count in openers.values())


def test_other_seeds_of_the_teacher_write_other_solutions() -> None:
    assert make().teacher_solution(5, 0) == make().teacher_solution(5, 0)
    assert len({make().teacher_solution(5, seed) for seed in range(8)}) > 4


def test_every_word_is_in_the_vocabulary() -> None:
    texts = [make().problem(i).question + " " + make().teacher_solution(i, 0) for i in range(300)]
    assert set(" ".join(texts).split(" ")) <= set(WORDS)
    assert len(WORDS) == len(set(WORDS)) == 16 + 3 + 2 + 2 + 8 + 3 + 6


def test_wrong_settings_name_their_key() -> None:
    for key, settings in (
        ("dataset.modulus", {"modulus": 1}),
        ("dataset.modulus", {"modulus": 1001}),
        ("dataset.operations", {"operations": (0, 3)}),
        ("dataset.operations", {"operations": (4, 3)}),
    ):
        with pytest.raises(UserError) as caught:
            make(**settings)
        assert caught.value.key == key


def test_a_batch_takes_milliseconds() -> None:
    problems, index = make(), count()
    assert loops(lambda: [problems.problem(next(index)) for _ in range(128)]) < 3
