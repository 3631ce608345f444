"""Mixtures: what a source's problems carry, in which order they stand, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tvo_cli import data
from tvo_cli.data.mixture import SCORERS, Mixture, Source, SourceProblems, load_mixture
from tvo_cli.data.problems import ProblemList
from tvo_cli.errors import UserError
from tvo_cli.reward.grader_settings import PROFILES
from tvo_cli.types import Problem

EASY = {"kind": "arithmetic", "name": "arithmetic", "profile": "math", "suffix": "", "operations": 2}
HARD = {"kind": "addition", "name": "addition", "profile": "digits", "suffix": " ?", "limit": 3}


def mixture(sources: Mapping[str, Any], weights: Mapping[str, float] | None = None, **rest: Any) -> dict[str, Any]:
    return {"kind": "mixture", "name": "mixture", "sources": dict(sources), "weights": weights, **rest}


def test_a_problem_carries_its_sources_name_suffix_and_way_of_judging() -> None:
    found = data.load(mixture({"easy": EASY, "hard": HARD}), split="train", seed=0)
    first, second = found.problem(0), found.problem(1)
    assert (first.source, first.id, first.suffix) == ("easy", "easy/arithmetic/0/train/0", "")
    assert (second.source, second.scorer, second.suffix) == ("hard", "digits", " ?")
    plain = {"template": "plain", "system": None, "suffix": None}
    assert data.render_prompt(second, plain, None) == f"{second.question} ?"
    assert data.render_prompt(second, plain | {"suffix": "!"}, None) == f"{second.question}!"


def test_the_sources_profile_judges_where_its_problems_do_not_say() -> None:
    problems = ProblemList("r", [Problem("0", "q", "033", "r"), Problem("1", "q", "1", "r", scorer="integer")])
    for profile, scorer in (("math", "math"), ("aime", "integer"), ("digits", "digits")):
        source = SourceProblems("s", problems, {"profile": profile})
        assert [source.problem(i).scorer for i in range(2)] == [scorer, "integer"]
    assert SCORERS == PROFILES


@pytest.mark.parametrize(
    ("sizes", "places"),
    [
        ((2, 2), "a0 b0 a1 b1"),
        ((1, 3), "a0 b0 b1 b2"),
        ((3, 1, 2), "a0 b0 c0 a1 c1 a2"),
        ((2, None), "a0 b0 a1 b1 b2 b3"),
    ],
    ids=str,
)
def test_problems_stand_in_rounds_over_the_sources_that_have_any_left(
    sizes: tuple[int | None, ...], places: str
) -> None:
    class Numbered:
        neutral_words = ()

        def __init__(self, name: str, size: int | None) -> None:
            self.name, self.size = name, size

        def problem(self, index: int) -> Problem:
            return Problem(f"{self.name}{index}", "q", "1", self.name)

    sources = [Source(name, 0.5, Numbered(name, size)) for name, size in zip("abc", sizes)]
    found, wanted = Mixture("m", sources), places.split()
    assert [found.problem(index).id for index in range(len(wanted))] == wanted
    assert found.size == (None if None in sizes else len(wanted))
    if found.size:
        with pytest.raises(IndexError):
            found.problem(found.size)


def test_shares_are_weights_over_their_sum_and_one_where_none_is_stated() -> None:
    found = data.load(mixture({"easy": EASY, "hard": HARD}, {"easy": 3}), split="train", seed=0)
    assert isinstance(found, Mixture)
    assert {source.name: source.share for source in found.sources} == {"easy": 0.75, "hard": 0.25}


@pytest.mark.parametrize(
    ("node", "key", "text"),
    [
        (mixture({}), "dataset.sources", "names no data set"),
        (mixture({"a": EASY}, {"b": 1.0}), "dataset.weights.b", "is of no source. Sources: a"),
        (mixture({"a": EASY}, {"a": 0.0}), "dataset.weights.a", "no share"),
        (mixture({"a": mixture({"b": EASY})}), "dataset.sources.a", "mixture itself"),
        (mixture({"a/b": EASY}), "dataset.sources", "no name for a source"),
        (mixture({"a": EASY | {"stop": ["\n"]}}), "dataset.sources.a.stop", "one rollout.stop for all"),
        (mixture({"a": EASY | {"template": "plain"}}), "dataset.sources.a.template", "one model.prompt.template"),
        (mixture({"a": EASY | {"modulus": "x"}}), "dataset.sources.a.modulus", "not a whole number"),
        (
            mixture({"a": {"kind": "jsonl", "name": "j", "path": "/no/such/file"}}),
            "dataset.sources.a.path",
            "no such file",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_names_the_sources_own_key(node: dict[str, Any], key: str, text: str) -> None:
    with pytest.raises(UserError) as caught:
        data.load(node, split="train", seed=0)
    assert caught.value.key == key and text in str(caught.value)


def test_what_holds_for_all_sources_is_stated_once() -> None:
    stated = mixture({"a": EASY | {"stop": ["\n"], "template": "plain"}}, stop=["\n"], template="plain")
    assert load_mixture(stated, lambda node: ProblemList("r", [])).name == "mixture"
