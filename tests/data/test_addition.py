"""The second embedded task against Python's own addition."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tvo_cli.data.addition import AdditionProblems, AdditionSettings
from tvo_cli.data.vocabulary import CARRY, NO_CARRY, OPENERS, WORDS
from tvo_cli.errors import UserError


def make(split: str = "train", seed: int = 0, **settings: Any) -> AdditionProblems:
    return AdditionProblems(AdditionSettings(**settings), split=split, seed=seed)


def numbers(question: str) -> tuple[str, str]:
    left, right = question.removesuffix(" =").split(" + ")
    return left.replace("_", "").replace(" ", ""), right.replace("_", "").replace(" ", "")


def right_to_left(left: str, right: str) -> str:
    """The sum, written in at least as many digits as its terms, backwards."""
    return str(int(left) + int(right)).zfill(len(left))[::-1]


def test_a_sum_by_hand() -> None:
    assert right_to_left("4732", "9150") == "28831"
    assert right_to_left("0012", "0003") == "5100"


@pytest.mark.parametrize("split", ["train", "test"])
def test_answers_match_pythons_addition(split: str) -> None:
    problems, levels = make(split), Counter[str]()
    for index in range(500):
        problem = problems.problem(index)
        left, right = numbers(problem.question)
        assert len(problem.question.split(" ")) == 14
        assert len(left) == len(right)
        assert problem.answer == right_to_left(left, right)
        assert (problem.level, problem.scorer) == (str(len(left) - 1), "digits")
        levels[problem.level] += 1
    if split == "train":
        assert all(levels[level] / 500 == pytest.approx(0.2, abs=0.06) for level in "12345")


def test_train_and_test_share_no_question() -> None:
    asked = {s: {make(s, digits=(1, 1)).problem(i).question for i in range(800)} for s in ("train", "test")}
    assert asked["train"].isdisjoint(asked["test"])
    assert len(asked["test"]) > 3


def test_a_teacher_without_errors_is_right_and_says_when_it_carries() -> None:
    flawless: dict[str, Any] = dict.fromkeys(("hard_error", "easy_error", "carry_hard_error", "carry_easy_error"), 0.0)
    problems = make(**flawless)
    for index in range(300):
        words = problems.teacher_solution(index, 0).split(" ")
        left, right = numbers(problems.problem(index).question)
        assert words[0] in OPENERS
        assert (words[1], words[-1]) == ("\\boxed{", "}")
        assert "".join(filter(str.isdigit, "".join(words[2:-1]))) == problems.problem(index).answer
        for place, word in enumerate(words[3 : 3 + 2 * len(left) : 2], start=1):
            carried = int(left[-place:]) + int(right[-place:]) >= 10**place
            assert word in (CARRY if carried else NO_CARRY)


def errors(problems: AdditionProblems, count: int) -> tuple[float, float]:
    """Shares of wrong digits and wrong carries, given the teacher's own carry in."""
    tried = wrong_digits = wrong_carries = 0
    for index in range(count):
        left, right = numbers(problems.problem(index).question)
        words, carry = problems.teacher_solution(index, 0).split(" ")[2:], 0
        for place, (a, b) in enumerate(zip(left[::-1], right[::-1], strict=True)):
            total = int(a) + int(b) + carry
            carry = int(words[2 * place + 1] in CARRY)
            tried += 1
            wrong_digits += int(words[2 * place]) != total % 10
            wrong_carries += carry != total // 10
    return wrong_digits / tried, wrong_carries / tried


@pytest.mark.slow
def test_the_teacher_errs_as_often_as_the_settings_say() -> None:
    """20,000 steps. Digits 0.25 · 0.5 + 0.75 · 0.05 = 0.1625; carries 0.12 · 0.4 + 0.88 · 0.02 = 0.0656.

    The table has only 200 entries, so the share of hard ones varies by about 0.03 (digits) and 0.023 (carries).
    """
    digits, carries = errors(make(), 5000)
    assert digits == pytest.approx(0.1625, abs=0.03)
    assert carries == pytest.approx(0.0656, abs=0.025)


@pytest.mark.slow
def test_every_rate_acts_on_its_own_entries() -> None:
    """With all entries hard, or none, nothing is left to the draw of the table: 20,000 steps, 6 standard errors."""
    assert errors(make(hard_share=1.0, carry_hard_share=1.0), 5000) == pytest.approx((0.5, 0.4), abs=0.021)
    assert errors(make(hard_share=0.0, carry_hard_share=0.0), 5000) == pytest.approx((0.05, 0.02), abs=0.01)


def test_the_sparse_teacher_errs_on_half_of_the_digits() -> None:
    """0.6 · 0.75 + 0.4 · 0.2 = 0.53."""
    digits, _ = errors(make(hard_share=0.6, hard_error=0.75, easy_error=0.2), 5000)
    assert digits == pytest.approx(0.53, abs=0.04)


def test_every_word_is_in_the_vocabulary_and_carry_words_hold_no_digit() -> None:
    texts = [make().problem(i).question + " " + make().teacher_solution(i, 0) for i in range(300)]
    used = set(" ".join(texts).split(" "))
    assert used <= set(WORDS)
    assert set(CARRY + NO_CARRY) <= used
    assert not any(character.isdigit() for word in CARRY + NO_CARRY + OPENERS for character in word)


def test_a_solution_fits_the_token_limit_of_its_yaml() -> None:
    longest = max(len(make().teacher_solution(index, 0).split(" ")) for index in range(500))
    assert longest == 1 + 1 + 12 + 1 + 1
    assert longest + 1 + 2 <= 22


def test_wrong_digits_name_their_key() -> None:
    with pytest.raises(UserError) as caught:
        make(digits=(3, 2))
    assert caught.value.key == "dataset.digits"
