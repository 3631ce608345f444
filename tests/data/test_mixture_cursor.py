"""The cursor of a mixture: shares kept in every batch, exactly resumable, source by source."""

from __future__ import annotations

import json
from collections import Counter
from random import Random

import pytest

from tvo_cli.data.curriculum import build_cursor
from tvo_cli.data.cursor import Cursor, ProblemOutcome, order_of_epoch
from tvo_cli.data.mixture import Mixture, Source, SourceProblems, check_sources_fill_batch
from tvo_cli.data.mixture_cursor import MixtureCursor
from tvo_cli.data.problems import ProblemList
from tvo_cli.data.random_stream import random_stream
from tvo_cli.errors import UserError
from tvo_cli.types import Problem

NONE = {"kind": "none"}
RATE = {"kind": "pass_rate", "prior": [1.0, 1.0], "memory": 0.5}


def mixture(**sizes_and_shares: tuple[int, float]) -> Mixture:
    sources = []
    for name, (size, share) in sizes_and_shares.items():
        rows = ProblemList(name, [Problem(str(n), f"q{n}", str(n), name) for n in range(size)])
        sources.append(Source(name, share, SourceProblems(name, rows, {})))
    return Mixture("mixture", sources)


def names(problems: list[Problem]) -> list[str]:
    return [problem.source for problem in problems]


def test_no_source_is_ever_a_whole_problem_ahead_of_its_share() -> None:
    shares = {"a": 0.5, "b": 0.3, "c": 0.17, "d": 0.03}
    cursor = build_cursor(mixture(**{name: (400, share) for name, share in shares.items()}), 0, NONE)
    drawn: Counter[str] = Counter()
    for number, name in enumerate(names(cursor.take(200)), start=1):
        drawn[name] += 1
        assert all(drawn[one] - share * number < 1 for one, share in shares.items())
    assert drawn == {"a": 100, "b": 60, "c": 34, "d": 6}


def test_the_order_of_sources_does_not_depend_on_the_size_of_batches() -> None:
    parts = mixture(a=(50, 0.7), b=(50, 0.3))
    one, other = build_cursor(parts, 0, NONE), build_cursor(parts, 0, NONE)
    assert names(one.take(30)) == [name for _ in range(10) for name in names(other.take(3))]


def test_inside_a_source_each_problem_comes_once_an_epoch() -> None:
    cursor = build_cursor(mixture(a=(12, 0.75), b=(4, 0.25)), 5, NONE)
    taken = [problem for _ in range(4) for problem in cursor.take(4)]
    assert len({problem.id for problem in taken}) == 16


def order_of(problems: list[Problem], source: str) -> list[str]:
    """The problems of a source, by their number there."""
    return [problem.question for problem in problems if problem.source == source]


@pytest.mark.parametrize("curriculum", [NONE, RATE], ids=lambda node: str(node["kind"]))
def test_sources_of_one_size_are_each_in_an_order_of_their_own(curriculum: dict[str, object]) -> None:
    """By chance a problem meets that of its own number once in 50."""
    taken = build_cursor(mixture(a=(50, 0.5), b=(50, 0.5)), 3, curriculum).take(100)
    first, second = order_of(taken, "a"), order_of(taken, "b")
    assert sorted(first) == sorted(second) and sum(one == other for one, other in zip(first, second)) < 10


def test_the_order_of_a_source_follows_from_seed_and_name_whatever_stands_beside_it() -> None:
    beside_b = build_cursor(mixture(a=(50, 0.5), b=(50, 0.5)), 3, NONE).take(40)
    beside_c = build_cursor(mixture(c=(9, 0.2), a=(50, 0.8)), 3, NONE).take(25)
    other_seed = build_cursor(mixture(a=(50, 0.5), b=(50, 0.5)), 4, NONE).take(40)
    assert order_of(beside_b, "a") == order_of(beside_c, "a") != order_of(other_seed, "a")


def test_sources_are_shuffled_once_an_epoch_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    shuffled = list[tuple[object, ...]]()

    def noted(*name: object) -> Random:
        shuffled.append(name)
        return random_stream(*name)

    monkeypatch.setattr("tvo_cli.data.cursor.random_stream", noted)
    order_of_epoch.cache_clear()
    cursor = build_cursor(mixture(**{name: (20, 1 / 7) for name in "abcdefg"}), 8, NONE)
    for _ in range(10):
        cursor.take(14)
    assert len(shuffled) == 7
    cursor.take(14)
    assert len(shuffled) == 14, "the next epoch"


def test_a_data_set_alone_is_drawn_as_ever() -> None:
    rows = ProblemList("r", [Problem(str(n), f"q{n}", str(n), "r") for n in range(20)])
    cursor = build_cursor(rows, 3, NONE)
    assert type(cursor) is Cursor
    assert [problem.id for problem in cursor.take(6)] == [
        "9",
        "15",
        "3",
        "2",
        "19",
        "4",
    ]  # as before there were mixtures
    assert cursor.state_dict() == {"epoch": 0, "position": 6, "size": 20}


@pytest.mark.parametrize("curriculum", [NONE, RATE], ids=lambda node: str(node["kind"]))
def test_gone_on_with_from_its_state_it_draws_the_same(curriculum: dict[str, object]) -> None:
    parts = mixture(a=(9, 0.6), b=(7, 0.4))
    whole, again = build_cursor(parts, 1, curriculum), build_cursor(parts, 1, curriculum)
    for _ in range(5):
        whole.observe([ProblemOutcome(problem, len(problem.id) % 2, 2) for problem in whole.take(4)])
    again.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    for _ in range(5):
        assert [one.id for one in whole.take(4)] == [one.id for one in again.take(4)]


def test_a_source_that_changed_begins_anew_and_the_others_go_on() -> None:
    before = build_cursor(mixture(a=(8, 0.5), b=(8, 0.5)), 0, NONE)
    before.take(8)
    after = build_cursor(mixture(a=(8, 0.5), b=(20, 0.5)), 0, NONE)
    state = after.begin_anew(before.state_dict(), ["b"])
    assert state["sources"] == {
        "a": {"epoch": 0, "position": 4, "size": 8},
        "b": {"epoch": 1, "position": 0, "size": 20},
    }
    after.load_state_dict(state)
    assert len(after.take(8)) == 8


def test_a_source_with_nothing_left_for_a_batch_is_passed_over_in_it() -> None:
    cursor = MixtureCursor(mixture(a=(2, 0.9), b=(20, 0.1)), lambda problems: Cursor(problems, 0))
    assert Counter(names(cursor.take(10))) == {"a": 2, "b": 8}
    with pytest.raises(UserError, match=r"rollout.prompts=30: is more than the 22 problems of all sources"):
        cursor.take(30)


def test_a_weight_that_a_source_cannot_fill_is_refused_before_the_start() -> None:
    parts = mixture(a=(2, 0.9), b=(20, 0.1))
    check_sources_fill_batch(parts, 3)
    with pytest.raises(UserError, match=r"dataset.weights.a=.*gives it 9 of the 10 prompts.*has 2.*rollout.prompts=2 "):
        check_sources_fill_batch(parts, 10)


def test_readings_of_a_curriculum_carry_the_sources_name() -> None:
    cursor = build_cursor(mixture(a=(4, 0.5), b=(8, 0.5)), 0, RATE)
    cursor.observe([ProblemOutcome(problem, 1, 2) for problem in cursor.take(4)])
    found = cursor.readings()
    assert found["data/seen/a"] == 0.5 and found["data/seen/b"] == 0.25
    assert set(found) == {f"data/{one}/{name}" for one in ("seen", "weight") for name in "ab"}
