"""The server answers this machine alone, with the page and JSON, and with no file."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.watch.conftest import serving
from tvo_cli.errors import UserError
from tvo_cli.watch.server import WatchServer
from tvo_cli.watch.watched_folder import WatchedFolder

Ask = Callable[..., http.client.HTTPResponse]


@pytest.fixture
def server(write_run: Callable[..., Path], tmp_path: Path) -> Iterator[WatchServer]:
    write_run("a")
    with serving(tmp_path / "runs") as found:
        yield found


@pytest.fixture
def ask(server: WatchServer) -> Iterator[Ask]:
    opened: list[http.client.HTTPConnection] = []

    def asked(path: str, *hosts: str, method: str = "GET") -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
        opened.append(connection)
        connection.putrequest(method, path, skip_host=True)
        for host in hosts or (f"127.0.0.1:{server.server_address[1]}",):
            connection.putheader("Host", host)
        connection.endheaders()
        return connection.getresponse()

    yield asked
    for one in opened:
        one.close()


def test_it_listens_on_this_machine_only(server: WatchServer) -> None:
    assert server.server_address[0] == "127.0.0.1" and server.url == f"http://127.0.0.1:{server.server_address[1]}/"


def test_the_page_is_one_file_that_fetches_nothing_of_others(ask: Ask) -> None:
    reply = ask("/")
    page = reply.read().decode()
    assert reply.status == 200 and "://" not in page.replace("http://www.w3.org/2000/svg", "")
    policy = reply.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and policy.count("sha256-") == 2
    assert ".innerHTML" not in page and "eval(" not in page


@pytest.mark.parametrize("host", ["localhost:1234", "127.0.0.1", "LOCALHOST"])
def test_this_machine_may_ask(ask: Ask, host: str) -> None:
    assert ask("/runs", host).status == 200


@pytest.mark.parametrize(
    "hosts", [("evil.example:8787",), ("127.0.0.1.evil.example",), ("",), ("localhost", "evil.example"), ("[::1]:80",)]
)
def test_a_name_that_was_bound_to_this_machine_may_not(ask: Ask, hosts: tuple[str, ...]) -> None:
    reply = ask("/runs", *hosts)
    assert reply.status == 403 and b"reward" not in reply.read()


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/a/config.yaml", "/%2e%2e/x", "//etc/passwd", "/page.js", "/responses/../runs"]
)
def test_no_path_is_a_file(ask: Ask, path: str) -> None:
    assert ask(path).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_written(ask: Ask, method: str) -> None:
    assert ask("/runs", method=method).status == 501


def test_curves_and_responses_are_json(ask: Ask) -> None:
    assert [run["name"] for run in json.load(ask("/runs"))["runs"]] == ["a"]
    found = json.load(ask("/curves?metric=reward%2Fmean&run=a&since="))
    assert found["curves"]["reward/mean"]["a"]["values"] == 9
    assert json.load(ask("/responses?run=a&file=../config.yaml"))["rows"] == []


def test_an_error_of_one_answer_is_told_and_the_next_is_given(
    ask: Ask, server: WatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.folder, "responses", lambda run, file: 1 / 0)
    reply = ask("/responses?run=a")
    assert reply.status == 500 and json.load(reply) == {"error": "ZeroDivisionError: division by zero"}
    assert ask("/runs").status == 200


def test_a_port_that_is_taken_is_said(server: WatchServer, tmp_path: Path) -> None:
    port = server.server_address[1]
    with pytest.raises(UserError, match=rf"--port={port}: another program listens there.*--port 0"):
        WatchServer(WatchedFolder(tmp_path), port)
