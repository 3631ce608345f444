"""The server of `tvo watch`: the page and its data, on 127.0.0.1 only, for nobody who asks under another name."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tvo_cli.errors import UserError
from tvo_cli.watch.page import content_security_policy, page_as_html
from tvo_cli.watch.watched_folder import WatchedFolder

ADDRESS = "127.0.0.1"
HOSTS = ("127.0.0.1", "localhost")
MOST_METRICS = 60  # in one question
Query = Mapping[str, list[str]]
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": content_security_policy(),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class WatchServer(ThreadingHTTPServer):
    """A server of a folder's page."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, folder: WatchedFolder, port: int) -> None:
        """Listen on a port of this machine alone; 0: any free one.

        Raises:
            UserError: the port is taken, or not for everybody.
        """
        self.folder, self.page = folder, page_as_html()
        try:
            super().__init__((ADDRESS, port), WatchHandler)
        except (OSError, OverflowError) as error:
            raise _error_for_port(port, error) from error

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://{ADDRESS}:{self.server_address[1]}/"


def _error_for_port(port: int, error: Exception) -> UserError:
    if getattr(error, "errno", None) == errno.EADDRINUSE:
        problem = "another program listens there, perhaps another tvo watch."
    else:
        problem = f"cannot be listened on: {getattr(error, 'strerror', None) or error}."
    return UserError("--port", port, problem, "Take another, or --port 0 for any that is free.")


class WatchHandler(BaseHTTPRequestHandler):
    """Answers GET: the page, or JSON of the folder's runs. A path names no file, so none outside can be asked for."""

    server: WatchServer
    server_version, sys_version = "tvo-watch", ""

    def do_GET(self) -> None:
        """Answer a question."""
        with suppress(BrokenPipeError, ConnectionResetError):  # the page was closed
            if not self._is_asked_as_this_machine():
                self._answer(HTTPStatus.FORBIDDEN, b"this page answers as 127.0.0.1 and localhost only\n", "text/plain")
                return
            asked = urlsplit(self.path)
            if asked.path == "/":
                self._answer(HTTPStatus.OK, self.server.page, "text/html")
            elif (reply := REPLIES.get(asked.path)) is not None:
                self._answer_json(lambda: reply(self.server.folder, parse_qs(asked.query)))
            else:
                self._answer(HTTPStatus.NOT_FOUND, b"there is no such page\n", "text/plain")

    def _is_asked_as_this_machine(self) -> bool:
        """Whether the Host is this machine: a page of somebody else whose name was bound to 127.0.0.1 says its own."""
        named = self.headers.get_all("Host") or []
        return len(named) == 1 and named[0].rpartition(":")[0 if ":" in named[0] else 2].lower() in HOSTS

    def _answer_json(self, reply: Callable[[], Any]) -> None:
        try:
            content = json.dumps(reply(), allow_nan=False, separators=(",", ":")).encode("ascii")
        except Exception as error:  # one broken run must not take the page away from the others
            self.log_error("%s", error)
            content = json.dumps({"error": f"{type(error).__name__}: {error}"}).encode("ascii")
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, content, "application/json")
            return
        self._answer(HTTPStatus.OK, content, "application/json")

    def _answer(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        headers = {**HEADERS, "Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(content))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words: object) -> None:
        """Nothing: the terminal shows the address only."""


def _curves(folder: WatchedFolder, query: Query) -> Any:
    """The server's answer to a request for curves."""
    return folder.curves(query.get("run", []), query.get("metric", [])[:MOST_METRICS], query.get("since", [""])[0])


def _responses(folder: WatchedFolder, query: Query) -> Any:
    """The server's answer to a request for responses."""
    return folder.responses(query.get("run", [""])[0], query.get("file", [None])[0])


REPLIES: Mapping[str, Callable[[WatchedFolder, Query], Any]] = {
    "/runs": lambda folder, query: folder.runs(),
    "/curves": _curves,
    "/responses": _responses,
}
