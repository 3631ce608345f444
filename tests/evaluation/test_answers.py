"""Where protocols look for answers."""

from __future__ import annotations

import pytest

from tvo_cli.evaluation.answers import readable


@pytest.mark.parametrize(
    ("where", "completion", "read"),
    [
        ("boxed", "the final answer is 4", "the final answer is 4"),
        ("minerva", "so.\nFinal Answer: The final answer is $[2,5)$. I hope it is correct.", r"\boxed{[2,5)}"),
        ("minerva", "The final answer is 3. I hope it is correct.\nThe final answer is 4.5.", r"\boxed{4.5}"),
        ("minerva", r"thus \boxed{7}", r"thus \boxed{7}"),
        ("tagged", "<think> <answer>1</answer> no </think> <answer> 2 </answer>", r"\boxed{2}"),
        ("tagged", r"<answer>it is \boxed{9}</answer>", r"it is \boxed{9}"),
        ("tagged", r"\boxed{9}", ""),
        ("tagged", "<answer>unfinished", ""),
    ],
)
def test_readable(where, completion, read):
    assert readable(completion, where) == read


def test_long_texts_take_no_time():
    assert readable("final answer is " * 50_000, "minerva")
    assert readable("<answer>" * 100_000, "tagged") == ""
