"""Where protocols look for answers."""

from __future__ import annotations

import pytest

from tvo_cli.evaluation.protocol_answer import text_for_grader


@pytest.mark.parametrize(
    ("where", "completion", "read"),
    [
        ("boxed", "the final answer is 4", "the final answer is 4"),
        ("minerva", "so.\nFinal Answer: The final answer is $[2,5)$. I hope it is correct.", r"\boxed{[2,5)}"),
        ("minerva", "The final answer is 3. I hope it is correct.\nThe final answer is 4.5.", r"\boxed{4.5}"),
        ("minerva", r"thus \boxed{7}", r"thus \boxed{7}"),
        # text behind the answer is no part of it, whether or not the hope is expressed
        ("minerva", "The final answer is $5$.\n\nLet me know if I can help.", r"\boxed{5}"),
        ("minerva", "The final answer is 5. Let me know if I can help.", r"\boxed{5}"),
        ("minerva", "The final answer is 3.5.\nThank you!", r"\boxed{3.5}"),
        ("minerva", "The final answer is **12**. Is there anything else?", r"\boxed{12}"),
        ("minerva", "The final answer is: \n\n$$\\frac{1}{2}$$\n\nwhich is a half.", r"\boxed{\frac{1}{2}}"),
        ("minerva", r"The final answer is \( x+1 \), as shown.", r"\boxed{x+1}"),
        ("minerva", "The final answer is $3$ apples. Enjoy.", r"\boxed{3}"),
        ("minerva", "The final answer is 1,000 and no more", r"\boxed{1,000 and no more}"),
        ("minerva", r"The final answer is $\boxed{8}$. Bye. I hope it helps.", r"$\boxed{8}$"),
        ("minerva", "The final answer is 2 \\cdot 3. I hope it is correct.", r"\boxed{2 \cdot 3}"),
        # a capital that becomes two characters in lower case moves nothing
        ("minerva", "İİİİ İstanbul. The final answer is 6. I hope it is correct.", r"\boxed{6}"),
        ("minerva", "The final answer is $1$ and $-2$. Bye.", r"\boxed{1 and -2}"),
        ("minerva", "The final answer is $x = 3.5$ and\n", r"\boxed{x = 3.5}"),
        ("minerva", r"The final answer is $\$5.00$. Good luck", r"\boxed{\$5.00}"),
        ("minerva", r"The final answer is \$5. Good luck", r"\boxed{\$5}"),
        ("minerva", "THE FINAL ANSWER IS 9.", r"\boxed{9}"),
        ("minerva", "The final answer is", "The final answer is"),
        ("tagged", "<think> <answer>1</answer> no </think> <answer> 2 </answer>", r"\boxed{2}"),
        ("tagged", r"<answer>it is \boxed{9}</answer>", r"it is \boxed{9}"),
        ("tagged", r"\boxed{9}", ""),
        ("tagged", "<answer>unfinished", ""),
    ],
)
def test_readable(where: str, completion: str, read: str) -> None:
    assert text_for_grader(completion, where) == read


def test_long_texts_take_no_time() -> None:
    assert text_for_grader("final answer is " * 50_000, "minerva")
    assert text_for_grader("<answer>" * 100_000, "tagged") == ""
