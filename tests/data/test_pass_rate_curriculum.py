"""A curriculum by pass rate: the law of drawing against numbers worked out by hand, and what it leaves alone."""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction

import pytest

from tvo_cli.data.arithmetic import ArithmeticProblems, ArithmeticSettings
from tvo_cli.data.cursor import ProblemOutcome
from tvo_cli.data.pass_rate_curriculum import PassRateCursor, PassRateLaw, expected_variance
from tvo_cli.data.problems import ProblemList
from tvo_cli.errors import UserError
from tvo_cli.types import Problem

UNIFORM = PassRateLaw(1.0, 1.0, 1.0)


def rows(count: int) -> ProblemList:
    return ProblemList("r", [Problem(str(n), f"q{n}", "1", "r") for n in range(count)])


def seen(solved: dict[str, int], judged: int = 8, *, seed: int = 0, law: PassRateLaw = UNIFORM) -> PassRateCursor:
    """A cursor over as many problems, all of which were drawn once and solved so often."""
    cursor = PassRateCursor(rows(len(solved)), seed, law)
    cursor.observe([ProblemOutcome(problem, solved[problem.id], judged) for problem in cursor.take(len(solved))])
    return cursor


@pytest.mark.parametrize(
    ("solved", "unsolved", "variance"),
    [(1, 1, Fraction(1, 6)), (2, 3, Fraction(1, 5)), (1, 9, Fraction(9, 110)), (5, 5, Fraction(25, 110))],
)
def test_the_expected_variance_is_that_of_a_beta_distribution(solved: int, unsolved: int, variance: Fraction) -> None:
    assert expected_variance(solved, unsolved) == pytest.approx(float(variance), rel=1e-15)
    points = [(n + 0.5) / 20_000 for n in range(20_000)]
    density = [p ** (solved - 1) * (1 - p) ** (unsolved - 1) for p in points]
    by_sum = sum(p * (1 - p) * d for p, d in zip(points, density)) / sum(density)
    assert expected_variance(solved, unsolved) == pytest.approx(by_sum, rel=1e-6)


def test_what_is_always_or_never_solved_is_drawn_less_than_what_is_sometimes() -> None:
    cursor = seen({"0": 0, "1": 1, "2": 4, "3": 7, "4": 8})
    never, rarely, half, often, always = map(cursor.weight, range(5))
    assert never == always == pytest.approx(9 / 110) and half == pytest.approx(25 / 110)
    assert never < rarely == often < half
    assert PassRateCursor(rows(1), 0, UNIFORM).weight(0) == pytest.approx(1 / 6)  # one never seen, between them


def test_problems_are_drawn_in_proportion_to_their_weights() -> None:
    first = Counter(seen({"0": 0, "1": 4, "2": 8}, seed=seed).take(1)[0].id for seed in range(6000))
    weights = [9 / 110, 25 / 110, 9 / 110]
    for name, weight in enumerate(weights):
        assert first[str(name)] / 6000 == pytest.approx(weight / sum(weights), abs=0.025)


def test_a_batch_holds_no_problem_twice_and_every_draw_is_another() -> None:
    cursor = PassRateCursor(rows(12), 0, UNIFORM)
    batches = [tuple(problem.id for problem in cursor.take(5)) for _ in range(6)]
    assert all(len(set(batch)) == 5 for batch in batches) and len(set(batches)) == 6


def test_earlier_counts_fade_as_the_policy_changes() -> None:
    cursor = seen({"0": 0}, law=PassRateLaw(1.0, 1.0, 0.5))
    cursor.observe([ProblemOutcome(problem, 8, 8) for problem in cursor.take(1)])
    assert cursor.state_dict()["counts"] == {"0": [8.0, 4.0]}


def test_responses_that_could_not_be_judged_count_for_nothing() -> None:
    cursor = seen({"0": 0}, judged=0)
    assert cursor.weight(0) == pytest.approx(1 / 6)


def test_gone_on_with_from_its_state_it_draws_the_same() -> None:
    whole = seen({str(n): n % 9 for n in range(20)}, law=PassRateLaw(1.0, 2.0, 0.7))
    again = PassRateCursor(rows(20), 0, PassRateLaw(1.0, 2.0, 0.7))
    again.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    for _ in range(4):
        taken = [cursor.take(6) for cursor in (whole, again)]
        assert taken[0] == taken[1]
        for cursor, problems in zip((whole, again), taken):
            cursor.observe([ProblemOutcome(problem, len(problem.id), 8) for problem in problems])


def test_readings() -> None:
    cursor = PassRateCursor(rows(4), 0, UNIFORM)
    assert cursor.readings() == {"data/seen": 0.0, "data/weight": 1.0}
    cursor.observe([ProblemOutcome(problem, 0, 8) for problem in cursor.take(2)])
    assert cursor.readings() == {"data/seen": 0.5, "data/weight": pytest.approx(6 * 9 / 110)}


def test_readings_do_not_depend_on_the_order_in_which_problems_were_seen() -> None:
    whole = seen({str(n): n % 9 for n in range(40)})
    again = PassRateCursor(rows(40), 0, UNIFORM)
    again.load_state_dict(whole.state_dict())  # which is sorted
    assert again.readings() == whole.readings()


def test_problems_without_end_have_no_pass_rate() -> None:
    endless = ArithmeticProblems(ArithmeticSettings(), split="train", seed=0)
    with pytest.raises(UserError, match=r"curriculum=pass_rate: arithmetic is generated without end.*dataset.limit="):
        PassRateCursor(endless, 0, UNIFORM)


def test_other_problems_are_refused_or_begun_anew() -> None:
    state = seen({"0": 1, "1": 1}).state_dict()
    other = PassRateCursor(rows(3), 0, UNIFORM)
    with pytest.raises(UserError, match="3 problems now, but the checkpoint was made with 2"):
        other.load_state_dict(state)
    other.load_state_dict(other.begin_anew(state))
    assert other.readings()["data/seen"] == 0.0
