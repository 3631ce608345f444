"""A run with and without the reference and the flight recorder's copy, and what it says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import Runs
from tvo_cli.memory import reference_and_recorder

ONE = ("trainer.steps=1", "rollout.epochs=1", "rollout.minibatches=1", "algorithm=grpo")


@pytest.fixture
def above_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded model counts as a large one."""
    monkeypatch.setattr(reference_and_recorder, "REFERENCE_AT_MOST", 0)
    monkeypatch.setattr(reference_and_recorder, "RECORDER_AT_MOST", 0)


def run_of(run: Runs, *words: str) -> tuple[Path, dict[str, Any], str]:
    folder = run("a", *ONE, *words)
    return folder, json.loads((folder / "metrics.jsonl").read_text()), (folder / "run.log").read_text()


def test_a_small_run_reads_the_divergence_and_holds_what_it_did(run: Runs) -> None:
    _, row, said = run_of(run)
    assert (
        row["policy/kl_ref"] == pytest.approx(0.0, abs=1e-6)
        and "no KL reference" not in said
        and "no flight recorder" not in said
    )


@pytest.mark.usefixtures("above_the_size")
def test_a_run_above_the_size_keeps_neither_and_says_so(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tvo_cli.training.session.Session.take_snapshot", lambda *given: pytest.fail("a copy"))
    _, row, said = run_of(run)
    assert "policy/kl_ref" not in row
    assert said.count("no KL reference") == said.count("no flight recorder") == 1
    assert "recorder.on_collapse=true does it" in said and "stability.reference=auto: kl_ceiling" in said


@pytest.mark.slow
@pytest.mark.usefixtures("above_the_size")
def test_asked_for_both_are_kept_above_the_size(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tvo_cli.training.collapse_response.watch_for_collapse", lambda session, metrics: ["mine"])
    folder, row, said = run_of(run, "recorder.on_collapse=true", "stability.reference=true")
    assert row["policy/kl_ref"] == pytest.approx(0.0, abs=1e-6) and "no flight recorder" not in said
    assert (folder / "recorder" / "step-000001").is_dir()


@pytest.mark.slow
@pytest.mark.usefixtures("above_the_size")
def test_a_resumed_run_says_that_the_reading_ends(run: Runs) -> None:
    run("a", *ONE, "stability.reference=true")
    said = (run("a", *ONE, "trainer.steps=2") / "run.log").read_text()
    assert "stability.reference=true goes on with it" in said


def test_the_plan_alone_decides_what_a_run_keeps(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    none = reference_and_recorder.CopyChoice(False, "mine")
    chosen = reference_and_recorder.RecorderChoice(none, none, ())
    monkeypatch.setattr("tvo_cli.memory.planned_run.choose_reference", lambda *given, **more: none)
    monkeypatch.setattr("tvo_cli.memory.planned_run.choose_recorder", lambda *given: chosen)
    monkeypatch.setattr("tvo_cli.training.session.Session.take_snapshot", lambda *given: pytest.fail("a copy"))
    _, row, said = run_of(run)
    assert "policy/kl_ref" not in row and "no KL reference: mine" in said and "no flight recorder: mine" in said
