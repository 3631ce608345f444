"""A fingerprint is that of the problems, whatever their data set is called."""

from __future__ import annotations

from dataclasses import replace

from tvo_cli import config, data
from tvo_cli.data.problems import ProblemList
from tvo_cli.data.problems_fingerprint import fingerprint_of_problems
from tvo_cli.types import Problem


def test_a_fingerprint_sees_every_change() -> None:
    problems = [Problem(id=str(n), question=f"q{n}", answer=str(n), source="r") for n in range(5)]
    changed = [
        problems[:4],
        [*problems[:4], replace(problems[4], answer="5")],
        [*problems[:4], replace(problems[4], question="q")],
        problems[::-1],
    ]
    prints = {fingerprint_of_problems(ProblemList("r", rows)) for rows in [problems, *changed]}
    assert len(prints) == 5
    assert fingerprint_of_problems(ProblemList("other name", problems)) in prints
    node = config.compose(["dataset=arithmetic", "output_dir=x"]).dataset
    arithmetic = [data.load(node, split=s, seed=n) for s in ("train", "test") for n in (0, 1)]
    assert len({fingerprint_of_problems(each) for each in arithmetic}) == 4
