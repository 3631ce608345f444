"""The numbers of a suite, against ones worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.evaluation.conftest import GREEDY, ROWS, problem, response, same
from tvo_cli.errors import UserError
from tvo_cli.evaluation.suite_summary import summarise_suite


def test_avg_pass_maj_and_greedy() -> None:
    found = summarise_suite(ROWS + GREEDY, (1, 2, 4), same, 0.95)
    assert found["avg"]["mean"] == pytest.approx((3 + 1 + 2 + 0) / 16)
    assert found["pass"]["1"]["mean"] == pytest.approx(found["avg"]["mean"])
    # pass@2 of 3, 1, 2, 0 right in 4: 1, 1/2, 5/6, 0
    assert found["pass"]["2"]["mean"] == pytest.approx((1 + 0.5 + 5 / 6 + 0) / 4)
    assert found["pass"]["4"]["mean"] == pytest.approx(0.75)
    # a: 1 wins. b: 2 wins. c: a tie of 3 and 1 counts half. d: nobody votes.
    assert found["maj"]["mean"] == pytest.approx(0.375)
    assert found["maj"]["ties"] == 1
    assert found["greedy"]["mean"] == pytest.approx(0.5)


def test_intervals_are_clustered_by_problem() -> None:
    found = summarise_suite(ROWS, (1,), same, 0.95)
    # means .75 .25 .5 0: sd .3227, error .1614, t(3) = 3.1824
    assert found["avg"]["error"] == pytest.approx(0.161374, abs=1e-6)
    # (.375² + .125² + .125² + .375²)/4 = .078125 of at most .234375: d̂ = ⅓; e = 1.5, d = 2.5/3.5, 5.6 problems
    roots = sorted(np.roots([1 + 3.182446**2 / 5.6, -0.75 - 3.182446**2 / 5.6, 0.375**2]).real)
    assert [found["avg"]["low"], found["avg"]["high"]] == pytest.approx(roots, abs=1e-5)


def test_all_wrong_has_wilsons_interval() -> None:
    rows = [row for i in range(30) for row in problem(f"p{i}", ["2"])]
    found = summarise_suite(rows, (1,), same, 0.95)
    assert found["avg"]["high"] == pytest.approx(0.1135, abs=1e-4)


def test_how_it_answered() -> None:
    found = summarise_suite(ROWS, (1,), same, 0.95)
    assert found["length"] == 25.0
    assert found["truncated"] == found["unanswered"] == 5 / 16
    assert found["seconds"] == 8.0
    assert found["tokens_per_second"] == 400 / 8.0


def test_by_level_and_by_problem() -> None:
    found = summarise_suite(ROWS, (1,), same, 0.95)
    assert found["level"]["1"]["mean"] == 0.75
    assert found["level"]["2"] == found["level"]["2"] | {"mean": 0.25, "problems": 3}
    assert found["subject"] == {}, "there is only one"
    assert found["by_problem"][1] == {"id": "b", "right": 1, "samples": 4}


def test_answer_entropy_counts_the_unanswered_as_one_answer() -> None:
    rows = problem("a", ["1"] * 5 + ["2"] * 2 + [None])
    assert summarise_suite(rows, (1,), same, 0.95)["answer_entropy"] == pytest.approx(0.9003, abs=1e-4)


def test_ungraded_responses_have_no_score() -> None:
    with pytest.raises(UserError, match="--regrade"):
        summarise_suite([response(0, correct=None)], (1,), same, 0.95)
