"""trainer.profile: a trace and a table of the steps asked for, and the run as it is without them."""

from __future__ import annotations

import gzip
import json
import logging
import os
import signal

import pytest

from tests.training.conftest import Checksum, MetricRows, Runs, Whole, before_each_update
from tvo_cli import config
from tvo_cli.training import step_profiler
from tvo_cli.training.stop_signals import Interrupted

ONE_UPDATE = ("algorithm=grpo", "rollout.epochs=1", "rollout.minibatches=1", "trainer.steps=2", "rollout.prompts=4")


@pytest.mark.slow
def test_the_steps_asked_for_have_a_trace_and_a_table_and_the_run_is_the_same(
    run: Runs, whole: Whole, weights: Checksum, steps: MetricRows
) -> None:
    plain, profiled = whole(*ONE_UPDATE), run("a", *ONE_UPDATE, "trainer.profile=[2]")
    written = sorted(path.name for path in (profiled / "profile").iterdir())
    assert written == ["step-000002.json.gz", "step-000002.txt"]
    trace = json.loads(gzip.decompress((profiled / "profile" / written[0]).read_bytes()))
    names = {event.get("name") for event in trace["traceEvents"]}
    assert {"aten::mm", "Optimizer.step#AdamW.step"} <= names, "sampling and update are in it"
    table = (profiled / "profile" / written[1]).read_text()
    assert "Self CPU" in table and "aten::" in table
    assert len([line for line in table.splitlines() if "::" in line]) <= step_profiler.ROWS
    assert weights(profiled, 2) == weights(plain, 2) and steps(profiled) == steps(plain)


@pytest.mark.slow
def test_a_run_is_resumed_whatever_is_profiled_and_a_step_that_will_not_come_is_said(
    run: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    run("a", *ONE_UPDATE, "trainer.steps=1")
    with caplog.at_level(logging.WARNING, logger="tvo"):
        resumed = run("a", *ONE_UPDATE, "trainer.profile=[2,7]")
    assert (resumed / "profile" / "step-000002.txt").exists()
    said = [record.getMessage() for record in caplog.records if "trainer.profile" in record.getMessage()]
    assert said == ["trainer.profile=[7]: steps 2 to 2 are to come, others have no profile"]


def test_what_is_profiled_is_no_part_of_a_fingerprint() -> None:
    found = [config.config_fingerprint(config.compose([*w, "output_dir=x"])) for w in ((), ("trainer.profile=[3]",))]
    assert found[0] == found[1]


def test_a_profile_that_cannot_be_written_costs_no_run(run: Runs, caplog: pytest.LogCaptureFixture) -> None:
    (run.root / "a").mkdir()
    (run.root / "a" / step_profiler.FOLDER).write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING, logger="tvo"):
        folder = run("a", *ONE_UPDATE, "trainer.profile=[1]")
    assert "the profile of step-000001 could not be written" in caplog.text
    assert (folder / "checkpoints" / "step-000002").is_dir()


@pytest.mark.slow
def test_a_step_that_another_process_began_is_said_to_be_profiled_in_part(
    run: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    words = ("algorithm=grpo", "rollout.epochs=1", "rollout.minibatches=2", "trainer.steps=1")
    with before_each_update(lambda work: os.kill(os.getpid(), signal.SIGTERM)), pytest.raises(Interrupted):
        run("a", *words)
    with caplog.at_level(logging.WARNING, logger="tvo"):
        run("a", *words, "trainer.profile=[1]")
    assert "the profile of step 1 lacks what an earlier process did of it" in caplog.text
