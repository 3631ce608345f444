"""Training whose rollouts a server samples, and every way in which a server can be wrong."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.stand_in_server import (
    COMPLETIONS,
    RELOAD,
    Fault,
    StandInServer,
    aborted,
    hang,
    of_choice,
    partly,
    refuse,
    serving,
    stale,
)
from tests.training.conftest import Checksum, MetricRows, Runs, before_each_update, train_in
from tvo_cli.checkpoint import checkpoint_folders
from tvo_cli.errors import UserError
from tvo_cli.training.batch import RolloutBatch
from tvo_cli.training.step_state import StepInProgress
from tvo_cli.training.stop_signals import Interrupted

FEW = (
    *("rollout.prompts=4", "rollout.samples=2", "rollout.epochs=1", "rollout.minibatches=2"),
    *("trainer.steps=2", "recorder.on_collapse=false", "stability.reference=false"),
)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tvo_cli.rollout.server_client.PAUSE", 0.0)


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with serving() as found:
        yield found


@pytest.fixture
def served(run: Runs, server: StandInServer) -> Callable[..., Path]:
    """`served("a", …)` trains in the folder `a` with rollouts of the stand-in."""

    def go(name: str, *overrides: str) -> Path:
        return run(name, *FEW, "rollout=server", f"rollout.url={server.url}", *overrides)

    return go


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose server nothing disturbed, to be read."""
    with serving() as server:
        words = (*FEW, "rollout=server", f"rollout.url={server.url}")
        return train_in(tmp_path_factory.mktemp("served") / "run", words)


@pytest.mark.slow
def test_a_run_learns_from_what_the_server_sampled(
    served: Callable[..., Path], server: StandInServer, steps: MetricRows, batches: list[RolloutBatch]
) -> None:
    folder = served("a")
    rows = steps(folder)
    log = (folder / "run.log").read_text()
    assert "trainer.old_logp=auto: trainer, as rollout=server samples" in log
    assert log.count("the servers hold the weights of step 1: a probe differs by ") == 1 and "step 2" not in log
    assert len(rows) == 2 and min(row["group/zero_advantage"] for row in rows) < 1.0, "or nothing would be learned"
    assert all(row["policy/mismatch_max"] < 1e-4 for row in rows)
    sent = [body for body in server.requests(COMPLETIONS) if "prompt_logprobs" not in body]
    assert len(sent) == 16 and len({body["seed"] for body in sent}) == 16, "a request and a seed a response"
    said = [tuple(ids[mask].tolist()) for b in batches for ids, mask in zip(b.rollout.response_ids, b.rollout.mask)]
    assert all(1 <= len(ids) <= 20 for ids in said)
    for batch in batches:
        assert batch.importance is not None, "log π_old is the trainer's, with the truncated correction"
        assert (batch.importance[batch.rollout.mask] - 1.0).abs().max() < 1e-3
        assert batch.rollout.texts == tuple(
            server.policy.tokenizer.batch_decode(
                [ids[mask].tolist() for ids, mask in zip(batch.rollout.response_ids, batch.rollout.mask)],
                skip_special_tokens=True,
            )
        )


@pytest.mark.slow
def test_the_weights_are_exchanged_before_each_batch_and_scored_after(
    served: Callable[..., Path], server: StandInServer
) -> None:
    folder = served("a", "evaluation=quick", "evaluation.problems=2", "evaluation.every=1", "evaluation.at_start=true")
    paths = [path for path, body in server.asked if path != COMPLETIONS or "prompt_logprobs" in body]
    exchange = [RELOAD, "/reset_prefix_cache", "/update_weight_version", "/weight_info", COMPLETIONS]
    assert paths == [*exchange, *["/weight_info"] * 2] * 2 + [*exchange, "/weight_info"], (
        "evaluation and batch share one"
    )
    assert not (folder / "served").exists(), "what a run wrote for servers goes with it"


@pytest.mark.slow
def test_settings_of_the_model_do_not_change_what_is_sampled(
    served: Callable[..., Path], server: StandInServer
) -> None:
    """vLLM takes what a request does not say from the model's generation_config.json."""
    served("a", "trainer.steps=1", "rollout.temperature=0.7")
    body = server.requests(COMPLETIONS)[-1]
    neutral = {"min_p": 0.0, "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
    assert neutral.items() <= body.items()
    assert (body["temperature"], body["top_p"], body["top_k"], body["max_tokens"]) == (0.7, 1.0, 0, 20)
    assert body["stop_token_ids"] == sorted(server.policy.end_ids)


WRONG: dict[str, tuple[str, list[Fault | None], str]] = {
    "in trouble": (COMPLETIONS, [refuse, refuse], r"rollout\.url=http.*step 1.*500: EngineCore .*\(asked twice\)"),
    "hanging": (COMPLETIONS, [None, hang], r"rollout\.timeout=9: step 1, response \d to .*within 9 s"),
    "aborting": (COMPLETIONS, [None, aborted, aborted], r"step 1, response \d to .*ended by 'abort'.*\(asked twice\)"),
    "without ids": (
        COMPLETIONS,
        [of_choice(token_ids=None)],
        r"rollout\.url=http.*step 1, probe: the answer has no token",
    ),
    "without log-probs": (COMPLETIONS, [None, of_choice(logprobs=None)], r"step 1, .*not a log-probability for each"),
    "of foreign tokens": (COMPLETIONS, [None, of_choice(token_ids=[5, 9999])], r"token id 9999.*no such token"),
    "of another prompt": (COMPLETIONS, [None, of_choice(prompt_token_ids=[1])], r"completed another prompt"),
    "cutting short": (COMPLETIONS, [None, of_choice(token_ids=[5], finish_reason="length")], r"after 1 of 20 tokens"),
    "without the route": (
        "/reset_prefix_cache",
        [lambda *_: (404, {"detail": "Not Found"})],
        r"VLLM_SERVER_DEV_MODE=1",
    ),
    "with a cache": ("/reset_prefix_cache", [lambda *_: {"success": False}] * 2, r"cached of other weights"),
}


FAST = ("aborting", "of foreign tokens", "with a cache")


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in WRONG]
)
def test_a_server_that_is_wrong_stops_the_run_in_one_line(
    served: Callable[..., Path], server: StandInServer, run: Runs, kind: str
) -> None:
    path, faults, said = WRONG[kind]
    server.faults[path] = [*faults]
    with pytest.raises(UserError, match=said):
        served("a", "rollout.requests=1", *(("rollout.timeout=9",) if kind == "hanging" else ()))
    assert not checkpoint_folders.list_checkpoints(run.root / "a" / "checkpoints"), "nothing was learned"


@pytest.mark.slow
def test_one_fault_costs_one_more_request_and_nothing_else(
    served: Callable[..., Path], server: StandInServer, undisturbed: Path, weights: Checksum
) -> None:
    server.faults[COMPLETIONS] = [None, aborted, None, refuse, None, aborted]
    assert weights(served("a", "rollout.requests=1"), 2) == weights(undisturbed, 2), "asked again it is the answer"
    assert len(server.requests(COMPLETIONS)) == 2 * (8 + 1) + 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cure", "aepo_branching"])
def test_a_server_goes_on_behind_the_first_tokens_of_another_response(
    served: Callable[..., Path], server: StandInServer, batches: list[RolloutBatch], name: str
) -> None:
    """It is sent prompt and prefix as one and asked for what is left of the budget; log π of both parts agree."""
    served("a", f"algorithm={name}", "rollout.samples=8", "trainer.steps=1")
    rollout = batches[0].rollout
    assert rollout.prefix is not None and int((rollout.prefix > 0).sum()) > 3
    sent = [body for body in server.requests(COMPLETIONS) if "prompt_logprobs" not in body]
    asked = {(tuple(body["prompt"]), body["max_tokens"]) for body in sent}
    for row in range(len(rollout.texts)):
        count = int(rollout.prefix[row])
        prompt = rollout.prompt_ids[row][rollout.prompt_mask[row]].tolist()
        assert ((*prompt, *rollout.response_ids[row, :count].tolist()), 20 - count) in asked
    assert int(rollout.mask.sum(1).max()) <= 20
    importance = batches[0].importance
    assert importance is not None and (importance[rollout.mask] - 1.0).abs().max() < 1e-3


def test_mixed_up_answers_are_found_before_anything_learns_from_them(
    served: Callable[..., Path], server: StandInServer, batches: list[RolloutBatch]
) -> None:
    """Real tokens with real log-probabilities, of another response: no check of one answer can see it."""
    other = of_choice(token_ids=[9, 11, 7, 5] * 5, finish_reason="length", logprobs={"token_logprobs": [-0.1] * 20})
    server.faults[COMPLETIONS] = [None, *[other] * 8]
    with pytest.raises(UserError, match=r"^rollout\.mismatch_limit=0\.05: step 1: log π of the responses differ"):
        served("a")
    assert not batches


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "said"),
    [(stale, "but earlier ones"), pytest.param(partly, "not loaded all of these weights", marks=pytest.mark.slow)],
)
def test_weights_that_did_not_arrive_stop_the_run(
    served: Callable[..., Path], server: StandInServer, fault: Callable[..., object], said: str
) -> None:
    """The first exchange hands over what the server holds already; one update later a stale server is far within
    mismatch_limit, and is told by what it has not moved."""
    server.faults[RELOAD] = [None, fault]
    with pytest.raises(UserError, match=rf"^rollout\.url={server.url}: step 2: the server .*{said}"):
        served("a", "optimizer.lr=1e-3")


def test_a_server_with_another_model_is_refused(run: Runs) -> None:
    with serving("packaged:tiny_addition_sparse") as other:
        other.faults[RELOAD] = [stale]
        said = r"^rollout\.mismatch_limit=0\.05: step 1: .* does not hold these weights"
        with pytest.raises(UserError, match=said):
            run("a", *FEW, "rollout=server", f"rollout.url={other.url}")


@pytest.mark.slow
def test_a_server_that_somebody_else_uses_too_is_refused(served: Callable[..., Path], server: StandInServer) -> None:
    def exchanged(server: StandInServer, body: dict[str, object], right: object) -> object:
        server.version = "another run/7"
        return right

    server.faults[COMPLETIONS] = [None, None, exchanged]
    with pytest.raises(UserError, match=r"step 1: its weights were exchanged.*while responses were sampled"):
        served("a")


@pytest.mark.slow
def test_a_run_that_stops_in_a_batch_goes_on_without_asking_the_server_again(
    served: Callable[..., Path], server: StandInServer, undisturbed: Path, weights: Checksum, steps: MetricRows
) -> None:

    def stop(work: StepInProgress) -> None:
        if work.position == 1:
            signal.raise_signal(signal.SIGTERM)

    with before_each_update(stop), pytest.raises(Interrupted):
        served("a", "trainer.steps=1")
    before = len(server.asked)
    folder = served("a", "trainer.steps=1", "rollout.url=http://127.0.0.1:9")
    assert len(server.asked) == before
    served("a")
    assert steps(folder) == steps(undisturbed) and weights(folder, 2) == weights(undisturbed, 2)


@pytest.mark.slow
def test_replicas_share_the_prompts_and_all_get_the_weights(run: Runs, undisturbed: Path, steps: MetricRows) -> None:
    with serving() as one, serving() as other:
        both = f"rollout.url=[{one.url},{other.url}]"
        rows = steps(run("a", *FEW, "rollout=server", both))
    assert len(one.requests(RELOAD)) == len(other.requests(RELOAD)) == 2
    asked = [len([b for b in r.requests(COMPLETIONS) if "prompt_logprobs" not in b]) for r in (one, other)]
    assert min(asked) > 0 and sum(asked) == 16
    assert rows == steps(undisturbed), "who answers changes no response"


@pytest.mark.slow
def test_a_server_that_returns_is_asked_for_the_same_batch(
    served: Callable[..., Path], server: StandInServer, undisturbed: Path, weights: Checksum, run: Runs
) -> None:
    server.faults[RELOAD] = [None, refuse, refuse]
    with pytest.raises(UserError, match="step 2"):
        served("a")
    held = checkpoint_folders.list_checkpoints(run.root / "a" / "checkpoints")
    assert [folder.name for folder in held] == ["step-000001"]
    assert weights(served("a"), 2) == weights(undisturbed, 2)


@pytest.mark.slow
def test_an_adapter_is_merged_for_the_servers(
    served: Callable[..., Path], server: StandInServer, steps: MetricRows
) -> None:
    pytest.importorskip("peft")
    before = [parameter.clone() for parameter in server.policy.parameters()]
    rows = steps(served("a", "adapter=lora", "optimizer.lr=1e-2"))
    assert all(row["policy/mismatch_max"] < 1e-4 for row in rows)
    moved = [not torch.equal(one, other) for one, other in zip(before, server.policy.parameters(), strict=True)]
    assert any(moved) and not all(moved), "the matrices under the adapter, and no other"
