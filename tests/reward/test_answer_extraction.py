from __future__ import annotations

import pytest

from tests.processor_time import loops
from tvo_cli.reward.answer_extraction import (
    boxed_gold_of_solution,
    extract_boxed_answer,
    extract_stated_answer,
    find_boxes,
    response_tail_with_answer,
    take_whole_answer,
)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{5}", "5"),
        (r"\boxed{1} is wrong." + "\n\nMuch later, after a long calculation and a blank line:\n\n" + r"\boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1,2\}}", r"\{1,2\}"),
        (r"\boxed{\boxed{7}}", "7"),
        (r"\boxed {7}", "7"),
        (r"\fbox{7}", "7"),
        (r"a stray { brace, then \boxed{7}", "7"),
        (r"a stray } brace, then \boxed{7}", "7"),
        (r"\boxed{3} and so again \boxed{3}.", "3"),
        (r"\boxed{3}. I hope it is correct.", "3"),
        (r"\boxed{3}, which occurs when $x=2$ and $y=1$.", "3"),
        (r"\boxed{\frac{1}{2}} or equivalently 0.5", r"\frac{1}{2}"),
    ],
)
def test_the_answer_is_in_the_last_box(text: str, answer: str) -> None:
    found = extract_boxed_answer(text)
    assert (found.last, found.reason, len(found.answers)) == (answer, "", 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        r"\boxed{}",
        r"\boxed{ }",
        r"\boxed{5",
        r"\boxed 5",
        r"boxed{5}",
        r"\boxed{5}\boxed{6",
        r"\boxed{\frac{1}{2}",
    ],
)
def test_no_answer(text: str) -> None:
    assert extract_boxed_answer(text) == ((), "no answer")


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{371} or 372",
        r"\boxed{371}, 372",
        r"$\boxed{371}$ or $372$",
        r"\boxed{371} \text{ or } 372",
        r"\boxed{371}. Wait, that is 372.",
        r"\boxed{371}. Or perhaps 372.",
        r"\boxed{371} (it might be 372)",
        r"\boxed{371}. Alternatively 372.",
        r"\boxed{371}. Let me recheck.",
    ],
)
def test_hedges_after_the_box(text: str) -> None:
    assert extract_boxed_answer(text).reason == "several answers"


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{371} or \boxed{372}",
        r"\boxed{371}\boxed{372}",
        "\\boxed{371}\n\nor\n\n\\boxed{372}",
        r"The answer is \boxed{371}, but it might be \boxed{372}.",
    ],
)
def test_different_boxes_together(text: str) -> None:
    assert extract_boxed_answer(text).answers == ("371", "372")


@pytest.mark.parametrize(
    "text",
    [
        r"gives $\boxed{12}$. Thus in the form requested $a=1$ and $b=2$, so $a+b=\boxed{3}$.",
        r"$\boxed{7}+\boxed{5}$, and therefore $\boxed{3}$.",
        r"What is in the box of $4+\boxed{\phantom{2}}=7$? It is $\boxed{3}$.",
        r"$4+\boxed{?}=7$ and $\boxed{\ }=3$, \boxed{3}.",
    ],
)
def test_boxes_on_the_way_and_empty_boxes_are_no_answers(text: str) -> None:
    assert extract_boxed_answer(text) == (("3",), "")


@pytest.mark.parametrize(
    "text",
    [
        r"If $a>0$ then $b=\boxed{1}$. If $a<0$ then, as before, so $b=\boxed{3}$.",
        r"\boxed{1}, so it could also be \boxed{3}.",
        r"$x=\boxed{1}$ and so, in the other case, $x=\boxed{3}$",
        r"\boxed{1}. Note: $\boxed{3}$ is also accepted, thus.",
        r"so \boxed{1} and \boxed{3}",
    ],
)
def test_alternatives_are_no_derivation(text: str) -> None:
    assert extract_boxed_answer(text).answers == ("1", "3")


def test_an_empty_box_at_the_end_is_no_answer() -> None:
    assert extract_boxed_answer(r"\boxed{3}, so \boxed{\phantom{2}}").reason == "no answer"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Final Answer: The final answer is $42$. I hope it is correct.", "$42$"),
        ("so it is 6*7 = 42\n#### 42", "42"),
        ("<think>40?</think> <answer>42</answer>", "42"),
        ("The answer is 7. No: the answer is 3.5.", "3.5"),
        ("**Answer:** 42", "42"),
        ("The answer to this question is\n42", "42"),
        ("Answer = 42", "42"),
        ("The answer equals 42.", "42"),
        ("The answer is:\n\\[ 42 \\]\n", r"\[ 42 \]"),
        ("It is 42.", None),
        ("the answer is 42. Wait, that is wrong.", None),
    ],
)
def test_a_stated_answer(text: str, answer: str | None) -> None:
    found = extract_stated_answer(text)
    assert (found.last if not found.reason else None) == answer


def test_the_whole_text_as_the_answer() -> None:
    assert take_whole_answer(" 42\n") == (("42",), "")
    assert take_whole_answer(" \n").reason == "no answer"


def test_many_boxes_together_are_several_answers() -> None:
    assert extract_boxed_answer(" ".join(rf"\boxed{{{i}}}" for i in range(1000))).reason == "several answers"


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{" * 15_000,
        r"\boxed{" * 5_000 + "}" * 5_000,
        r"\boxed{1}" * 10_000,
        "{" * 100_000,
        "}" * 100_000,
        "\\" * 100_000,
        r"\boxed{" + "{" * 1_000 + "}" * 1_000 + "}",
        r"\boxed{5}" + " or" * 30_000,
        r"\boxed" + " " * 100_000,
        "the answer to " * 7_000,
        "answer" + " " * 100_000,
        "####" * 25_000,
        r"\boxed{" + r"\frac{" * 900,
        r"\boxed{" + r"\frac" * 900 + "}",
        r"\boxed{" + r"\text{" * 300 + "}" * 301,
        r"\boxed{" + "^" * 1_900 + "}",
        r"\boxed{5}" + "a" * 1_000,
        "the answer is 5" + ", in total" * 5_000,
        "answer\n" * 10_000,
    ],
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    taken = loops(lambda: (extract_boxed_answer(text), extract_stated_answer(text)), tries=1)
    assert taken < 300  # a quadratic step on 100 kB takes minutes


def test_boxes_are_outermost() -> None:
    found, unclosed = find_boxes(r"a \boxed{1 \boxed{2}} b \boxed{3} \boxed{")
    assert [(box.start, box.end) for box in found] == [(2, 21), (24, 33)] and unclosed


def test_the_tail_is_kept_in_bytes() -> None:
    assert response_tail_with_answer("é" * 1000 + "end", 9) == "ééé" + "end"
    assert response_tail_with_answer("x" * 100 + "end", 5) == "xxend"
    assert response_tail_with_answer("short", 65536) == "short"


@pytest.mark.parametrize(
    "text",
    [
        "<think>It may be \\boxed{8}.</think>\n\nIt is \\boxed{6}.",
        "<think>\\boxed{1}? \\boxed{2}?</think>\\boxed{6}",
        "<thinking>\\boxed{3}</thinking> \\boxed{6}",
        "<think>\\boxed{6}</think>",
        "[THINK]\\boxed{9}[/THINK] So \\boxed{6}",
        "◁think▷\\boxed{9}◁/think▷ \\boxed{6}",
    ],
)
def test_a_box_in_the_thinking_is_a_step(text: str) -> None:
    assert extract_boxed_answer(text) == (("6",), "")


def test_boxes_behind_the_thinking_are_judged_together() -> None:
    assert extract_boxed_answer(r"<think>no</think> \boxed{6} or \boxed{7}").answers == ("6", "7")


@pytest.mark.parametrize(
    "after",
    [
        "Common error: answering 11 is wrong, since zero counts too.",
        "(A guess of 11 was wrong, as the picture shows.)",
        "If it were 11, the sum would be incorrect.",
        "Choosing 9 is incorrect because we need two more.",
        "With this correction in mind, the table is consistent.",
        "It is not correct to count the corner twice.",
        "Options (A) and (B) are incorrect.",
        "Many students answer 11, which is incorrect.",
    ],
)
def test_words_on_other_answers_take_nothing_back(after: str) -> None:
    assert extract_boxed_answer(rf"\boxed{{10}}. {after}") == (("10",), "")


@pytest.mark.parametrize(
    "after",
    [
        "That is wrong.",
        "No, that is incorrect; it should be 11.",
        "Hmm, 10 is wrong.",
        "This is not correct.",
        "We said 10, which is wrong.",
        "Correction: 11.",
        "Wait, I made a mistake.",
        "I am not sure.",
        "Actually, this answer is incorrect.",
    ],
)
def test_words_on_this_answer_take_it_back(after: str) -> None:
    assert extract_boxed_answer(rf"\boxed{{10}}. {after}").reason == "several answers"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("So the answer is 48 in total.", "48"),
        ("The answer is 48, altogether.", "48"),
        ("the answer is therefore 48.", "48"),
        ("Hence the answer is thus 48", "48"),
        ("The answer is 48 (forty-eight).", "48"),
        ("The answer is 48 because 6 times 8 is 48.", "48"),
        ("The answer is $48$ cards.", "$48$ cards"),
        ("**Answer**: 48", "48"),
        ("**Final Answer**\n\n48", "48"),
        ("## Final Answer\n48", "48"),
        ("Final answer:\n\\[\n48\n\\]", "\\[\n48\n\\]"),
        ("The answer is\n$$\n48\n$$", "$$\n48\n$$"),
        ("The answer is **48** cards.", "48 cards"),
    ],
)
def test_a_stated_answer_with_words_and_headings_round_it(text: str, answer: str) -> None:
    assert extract_stated_answer(text) == ((answer,), "")


@pytest.mark.parametrize("text", ["The answer is 48, which might be 49.", "The answer is 48 or 49.", "It is 48."])
def test_a_stated_hedge(text: str) -> None:
    found = extract_stated_answer(text)
    assert found.reason or found.last == "48 or 49"


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"We get $x = 4+5 = \boxed{9}.$", "9"),
        (r"$\boxed{1}$ and then $\boxed{\frac{1}{2}}$.", r"\frac{1}{2}"),
        ("9", "9"),
        (r"an open \boxed{9", r"an open \boxed{9"),
    ],
)
def test_the_gold_of_a_worked_solution_is_its_last_box(gold: str, answer: str) -> None:
    assert boxed_gold_of_solution(gold) == answer
