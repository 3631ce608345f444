"""Calls to servers: time-outs, one retry, and errors that say where and what for."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.stand_in_server import COMPLETIONS, StandInServer, hang, refuse, serving
from tvo_cli.errors import UserError
from tvo_cli.rollout.server_client import RefusedError, ServerCall, ServerClient, TransientError

BODY = {"model": "policy", "prompt": [1, 5], "max_tokens": 2, "temperature": 1.0, "seed": 3, "stop_token_ids": []}


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tvo_cli.rollout.server_client.PAUSE", 0.0)


@pytest.fixture
def server() -> Iterator[StandInServer]:
    with serving() as found:
        yield found


def client(*urls: str, timeout: float = 20.0, requests: int = 8) -> ServerClient:
    return ServerClient(urls, timeout=timeout, requests=requests)


def ask(server: StandInServer, count: int = 1, **settings: float) -> list[object]:
    found: list[object] = [None] * count
    calls = [ServerCall(server.url, COMPLETIONS, BODY, f"step 2, response {i} to k") for i in range(count)]
    client(server.url, **settings).run(calls, found.__setitem__)  # type: ignore[arg-type]
    return found


def test_what_is_transient_is_asked_again_once(server: StandInServer) -> None:
    server.faults[COMPLETIONS] = [refuse]
    assert ask(server)[0] is not None
    assert len(server.requests(COMPLETIONS)) == 2


def test_what_stays_broken_ends_in_one_line_with_address_step_and_reason(server: StandInServer) -> None:
    server.faults[COMPLETIONS] = [refuse, refuse, None]
    said = (
        rf"^rollout\.url={server.url}: step 2, response 0 to k: .*500: EngineCore encountered an issue \(asked twice\)"
    )
    with pytest.raises(UserError, match=said):
        ask(server)
    assert len(server.requests(COMPLETIONS)) == 2


def test_a_server_that_is_away_is_named(server: StandInServer) -> None:
    with serving() as gone:
        url = gone.url
    with pytest.raises(
        UserError, match=rf"^rollout\.url={url}: probe: .*cannot be reached.*asked twice.*Is the server"
    ):
        client(server.url, url).at_all("/weight_info", None, "probe")


@pytest.mark.slow
def test_a_hang_lasts_no_longer_than_the_time_out(server: StandInServer) -> None:
    """Those beside it are not waited for either: the first failure ends them."""
    server.faults[COMPLETIONS] = [hang, hang, None, hang]
    begun = time.monotonic()
    said = rf"^rollout\.timeout=0\.3: step 2, response \d to k: no answer of {server.url}/v1/completions within 0\.3 s"
    with pytest.raises(UserError, match=said):
        ask(server, 4, timeout=0.3)
    assert time.monotonic() - begun < 15.0, "far less than the test's own end, which would release the hanging ones"


@pytest.mark.slow
def test_no_more_requests_are_in_flight_than_are_allowed(server: StandInServer) -> None:
    assert None not in ask(server, 24, requests=3)
    assert server.most <= 3
    assert len(server.requests(COMPLETIONS)) == 24


def test_a_refusal_is_not_repeated_and_says_what_to_do(server: StandInServer) -> None:
    with pytest.raises(
        RefusedError, match=r"404: The model `other` does not exist.*rollout\.model must be its --served"
    ) as e:
        client(server.url).at_all(COMPLETIONS, BODY | {"model": "other"}, "")
    assert e.value.status == 404 and len(server.asked) == 1
    with pytest.raises(RefusedError, match=r"/sleep is refused with 404: Not Found.*VLLM_SERVER_DEV_MODE=1"):
        client(server.url).at_all("/sleep", {}, "")


def test_a_reader_may_ask_for_one_more_try(server: StandInServer) -> None:
    seen: list[object] = []

    def read(number: int, answer: object) -> None:
        seen.append(answer)
        if len(seen) == 1:
            raise TransientError("aborted")

    client(server.url).run([ServerCall(server.url, COMPLETIONS, BODY)], read)
    assert len(seen) == 2 and seen[0] == seen[1], "the same seed gives the same response"


def test_the_environment_gives_the_key_and_no_proxy(server: StandInServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("VLLM_API_KEY", "secret")
    assert client(server.url).at_all("/weight_info", None, "") == [{"weight_version": "default"}]
    assert server.headers["Authorization"] == "Bearer secret"
