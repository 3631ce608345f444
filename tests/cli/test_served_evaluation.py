"""`tvo eval rollout=server` from outside, and what of a server is refused before anything is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.stand_in_server import COMPLETIONS, RELOAD, StandInServer, refuse, serving, stale
from tests.stand_in_transport import transports_on_a_cpu
from tvo_cli.cli.main import app
from tvo_cli.model.model_files.model_location import WEIGHTS

runner = CliRunner()
SMALL = ("--limit", "3", "decoding.samples=2", "threads=1", "rollout=server")


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with serving() as found:
        yield found


@pytest.mark.slow
def test_an_evaluation_is_sampled_by_the_server_and_resumed_without_it(tmp_path: Path, server: StandInServer) -> None:
    words = ["eval", f"output_dir={tmp_path / 'run'}", *SMALL, f"rollout.url={server.url}/v1/"]
    done = runner.invoke(app, words)
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in (tmp_path / "run/responses.jsonl").read_text().splitlines()]
    sent = [body for body in server.requests(COMPLETIONS) if "prompt_logprobs" not in body]
    assert len(rows) == len(sent) >= 6 and all(row["completion"] for row in rows)
    (loaded,) = server.requests(RELOAD)
    assert loaded["kwargs"] == {"weights_path": str((WEIGHTS / "tiny").resolve())}, "the model's own folder, no copy"
    assert '"engine": "server"' in (tmp_path / "run/evaluation.json").read_text()
    asked = len(server.asked)
    again = runner.invoke(app, [*words[:-1], "rollout.url=http://127.0.0.1:9"])
    assert again.exit_code == 0, again.output
    assert len(server.asked) == asked


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["nccl", "ipc"])
def test_a_model_goes_to_the_server_from_memory_to_memory(tmp_path: Path, server: StandInServer, weights: str) -> None:
    words = [
        "eval",
        f"output_dir={tmp_path / 'run'}",
        *SMALL,
        f"rollout.url={server.url}",
        f"rollout.weights={weights}",
    ]
    with transports_on_a_cpu(tmp_path / "shared"):
        done = runner.invoke(app, words)
    assert done.exit_code == 0, done.output
    assert len(server.receiver.order) == len(dict(server.policy.network.named_parameters()))


@pytest.mark.slow
def test_servers_may_hold_the_model_already(tmp_path: Path, server: StandInServer) -> None:
    words = ["eval", f"output_dir={tmp_path / 'run'}", *SMALL, f"rollout.url={server.url}", "rollout.weights=none"]
    done = runner.invoke(app, words)
    assert done.exit_code == 0, done.output
    assert {path for path, _ in server.asked} == {COMPLETIONS, "/v1/models"}


@pytest.mark.slow
def test_a_server_with_another_model_is_refused(tmp_path: Path) -> None:
    with serving("packaged:tiny_addition_sparse") as other:
        other.faults[RELOAD] = [stale]
        done = runner.invoke(app, ["eval", f"output_dir={tmp_path / 'run'}", *SMALL, f"rollout.url={other.url}"])
    assert done.exit_code == 2, done.output
    assert "does not hold these weights" in " ".join(done.output.split())
    assert not list(tmp_path.rglob("responses.jsonl"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rollout.model=other"], "rollout.model=other: http://127.0.0.1:PORT serves policy."),
        pytest.param(["rollout.url=http://127.0.0.1:9"], "/v1/models cannot be reached", marks=pytest.mark.slow),
        (["rollout.url=localhost:8000"], "must be a list of addresses as http://localhost:8000."),
        (["rollout.url=http://me:secret@host"], "must be a list of addresses as http://localhost:8000"),
        (["rollout.weights=nccl", "device=cpu"], "rollout.weights=nccl: goes from GPU to GPU, and this run is on cpu"),
        (["model.path=Owner/Name"], "model.path=Owner/Name"),
    ],
)
def test_what_cannot_be_served_ends_in_one_line(
    tmp_path: Path, server: StandInServer, words: list[str], said: str
) -> None:
    done = runner.invoke(app, ["eval", f"output_dir={tmp_path / 'run'}", *SMALL, f"rollout.url={server.url}", *words])
    assert done.exit_code == 2, done.output
    port = str(server.server_address[1])
    assert said.replace("PORT", port) in " ".join(done.output.split()), done.output


@pytest.mark.slow
def test_answers_that_fail_keep_those_that_came(tmp_path: Path, server: StandInServer) -> None:
    server.faults[COMPLETIONS] = [None, None, None, refuse, refuse]
    words = ["eval", f"output_dir={tmp_path / 'run'}", *SMALL, f"rollout.url={server.url}", "rollout.requests=1"]
    assert runner.invoke(app, words).exit_code == 2
    kept = len((tmp_path / "run/responses.jsonl").read_text().splitlines())
    assert kept == 2
    asked = len(server.requests(COMPLETIONS))
    assert runner.invoke(app, words).exit_code == 0
    made = len(server.requests(COMPLETIONS)) - asked - 1  # the probe
    assert len((tmp_path / "run/responses.jsonl").read_text().splitlines()) == kept + made
