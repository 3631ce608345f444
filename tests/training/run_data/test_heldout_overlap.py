"""Held-out problems that are training problems too."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from tvo_cli.data.mixture import Mixture, Source, SourceProblems
from tvo_cli.data.problems import ProblemList
from tvo_cli.training.run_data.heldout_overlap import warn_of_heldout_overlap
from tvo_cli.types import Problem


def problem(question: str, *turns: tuple[str, str]) -> Problem:
    return Problem(question, question, "1", "mine", turns=turns)


def test_held_out_problems_that_are_training_problems_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trained = ProblemList("mine", [problem("1+1?"), problem("2 +\n 2?"), problem("go on", ("user", "a"))])
    asked = [problem(" 2 + 2? "), problem("3+3?"), problem("go on", ("user", "b"))]
    chosen = OmegaConf.create({"dataset": {"kind": "jsonl", "path": "mine.jsonl"}})
    warn_of_heldout_overlap(chosen, trained, asked[1:])
    assert not caplog.records
    warn_of_heldout_overlap(chosen, trained, asked)
    assert "1 of the 3 held-out problems are training problems too (first:  2 + 2? )" in caplog.text
    assert "dataset.test_path" not in caplog.text
    chosen.dataset.test_path = chosen.dataset.path
    warn_of_heldout_overlap(chosen, trained, [problem("1+1?")])
    assert "1 of the 1 held-out" in caplog.text and "dataset.test_path is dataset.path itself" in caplog.text


def test_the_sources_of_a_mixture_that_are_read_are_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    nodes = {"mine": {"kind": "jsonl", "path": "mine.jsonl"}, "made": {"kind": "arithmetic"}}
    read, made = (ProblemList(name, [problem(f"{name}?")]) for name in nodes)
    sources = [Source(name, 0.5, SourceProblems(name, one, {})) for name, one in zip(nodes, (read, made))]
    chosen = OmegaConf.create({"dataset": {"kind": "mixture", "sources": nodes}})
    warn_of_heldout_overlap(chosen, Mixture("mixture", sources), [problem("made?")])
    assert not caplog.records  # generated data are split by their question
    warn_of_heldout_overlap(chosen, Mixture("mixture", sources), [problem("mine?")])
    assert "1 of the 1 held-out problems are training problems too" in caplog.text
