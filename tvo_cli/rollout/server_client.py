"""Client of inference servers: calls over HTTP, so many at once, each with a time-out and one retry."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import httpx

from tvo_cli.errors import UserError

KEY_OF_SERVER = "VLLM_API_KEY"  # vLLM's own variable for the key that its --api-key asks for
TRANSIENT = (429, 500, 502, 503, 504)
PAUSE = 1.0  # seconds before the retry, at most
CONNECT = 10.0  # seconds until a host that does not answer counts as away
SHOWN = 200  # characters of what a server says

Answer = Any  # what a server's JSON holds


class ServerCall(NamedTuple):
    """One request to one server."""

    url: str
    path: str
    body: dict[str, Any] | None = None  # None: GET
    about: str = ""  # what it is for, in an error: "step 12, response 3 to sums-17"
    repeats: bool = True  # whether it may be asked once more: what is done once may be done twice


class TransientError(Exception):
    """What may be gone when it is asked again: a lost connection, a server in trouble, an aborted answer."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(problem)


class RefusedError(UserError):
    """A server that answers, and does not do what it is asked for."""

    def __init__(self, url: str, status: int, problem: str, remedy: str) -> None:
        self.status = status
        super().__init__("rollout.url", url, problem, remedy)


Reader = Callable[[int, Answer], object]  # number of the call, its answer; raises TransientError for one more try


@dataclass(frozen=True, slots=True)
class ServerClient:
    """Calls servers; every failure is a UserError that names the address and what was asked for."""

    urls: tuple[str, ...]
    timeout: float  # seconds for one call, its retry included
    requests: int  # in flight a server

    def at_all(
        self,
        path: str,
        body: dict[str, Any] | None,
        about: str,
        check: Callable[[Answer], object] | None = None,
        *,
        repeats: bool = True,
    ) -> list[Answer]:
        """The answer of every server to the same call; `check` raises TransientError for one more try."""
        found: list[Answer] = [None] * len(self.urls)

        def read(number: int, answer: Answer) -> None:
            if check is not None:
                check(answer)
            found[number] = answer

        self.run([ServerCall(url, path, body, about, repeats) for url in self.urls], read)
        return found

    def run(self, calls: Sequence[ServerCall], read: Reader) -> None:
        """Make all calls; `read` is given each answer as it comes. The first failure ends the others."""
        try:
            asyncio.run(self._run(calls, read))
        except BaseExceptionGroup as group:  # of asyncio.TaskGroup, which cancels the rest at the first
            raise _first_failed_call(group) from None

    async def _run(self, calls: Sequence[ServerCall], read: Reader) -> None:
        gates = {url: asyncio.Semaphore(self.requests) for url in self.urls}
        key = os.environ.get(KEY_OF_SERVER)
        async with (
            httpx.AsyncClient(
                trust_env=False,  # a proxy between trainer and server is never meant
                verify=_trusted_authorities() if any(url.startswith("https:") for url in self.urls) else False,
                timeout=httpx.Timeout(None, connect=min(CONNECT, self.timeout)),
                limits=httpx.Limits(max_connections=None),  # the gates bound them
                headers={"Authorization": f"Bearer {key}"} if key else {},
            ) as client,
            asyncio.TaskGroup() as tasks,
        ):
            for number, call in enumerate(calls):
                tasks.create_task(self._within_time(client, gates[call.url], number, call, read))

    async def _within_time(
        self, client: httpx.AsyncClient, gate: asyncio.Semaphore, number: int, call: ServerCall, read: Reader
    ) -> None:
        """One call once there is room for it, and once more for what is transient."""
        async with gate:
            try:
                async with asyncio.timeout(self.timeout):
                    await self._twice(client, number, call, read)
            except TimeoutError as error:
                problem = f"{_about(call)}no answer of {call.url}{call.path} within {self.timeout:g} s."
                remedy = "Look into the server's log; a slow server needs fewer rollout.requests, or more time."
                raise UserError("rollout.timeout", f"{self.timeout:g}", problem, remedy) from error

    async def _twice(self, client: httpx.AsyncClient, number: int, call: ServerCall, read: Reader) -> None:
        try:
            read(number, await _asked(client, call))
        except TransientError as first:
            if not call.repeats:
                raise _failure(call, first) from first
            await asyncio.sleep(min(PAUSE, self.timeout / 10))
            try:
                read(number, await _asked(client, call))
            except TransientError as error:
                raise _failure(call, error) from error


@cache
def _trusted_authorities() -> ssl.SSLContext:
    """The certificates that https is checked by, read once: reading them takes 30 ms, more than a call."""
    return httpx.create_ssl_context()


async def _asked(client: httpx.AsyncClient, call: ServerCall) -> Answer:
    """The JSON of an answer; None where a server answers nothing."""
    method = "GET" if call.body is None else "POST"
    try:
        answer = await client.request(method, call.url + call.path, json=call.body)
    except httpx.TransportError as error:
        reason = str(error) or type(error).__name__
        raise TransientError(f"{call.path} cannot be reached ({reason})") from error
    if answer.status_code in TRANSIENT:
        raise TransientError(f"{call.path} failed with {_status_and_reason(answer)}", "Look into the server's log.")
    if answer.status_code != httpx.codes.OK:
        raise _refusal(call, answer)
    return _json_of(call, answer)


def _json_of(call: ServerCall, answer: httpx.Response) -> Answer:
    """The JSON that a server answers a call with."""
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError as error:
        problem = f"{_about(call)}{call.path} answers no JSON, but {answer.text[:SHOWN]!r}."
        raise UserError("rollout.url", call.url, problem, "Is this the address of a vLLM server?") from error


def _failure(call: ServerCall, error: TransientError) -> UserError:
    """The error of a call that no server has answered."""
    remedy = error.remedy or "Is the server running, and is this its address?"
    problem = f"{_about(call)}{error.problem}{' (asked twice)' if call.repeats else ''}."
    return UserError("rollout.url", call.url, problem, remedy)


def _refusal(call: ServerCall, answer: httpx.Response) -> RefusedError:
    """What a server refuses, and what to do about it."""
    unknown = "rollout.model must be its --served-model-name."
    if not call.path.startswith("/v1/"):
        unknown = "Start vLLM with VLLM_SERVER_DEV_MODE=1, which opens that route (docs/scale.md)."
    keyless = f"Put the key of its --api-key into the environment: {KEY_OF_SERVER}."
    remedy = {401: keyless, 404: unknown}.get(answer.status_code, "")
    problem = f"{_about(call)}{call.path} is refused with {_status_and_reason(answer)}."
    return RefusedError(call.url, answer.status_code, problem, remedy)


def _status_and_reason(answer: httpx.Response) -> str:
    """The status, and the first words of what the server says."""
    said: Any = answer.text
    try:
        told = answer.json()
        said = told.get("error", told.get("detail", said))
        said = said["message"] if isinstance(said, dict) else said
    except (ValueError, AttributeError, KeyError):
        pass
    words = " ".join(str(said).split())[:SHOWN].rstrip(".")
    return f"{answer.status_code}: {words}" if words else str(answer.status_code)


def _about(call: ServerCall) -> str:
    """What a call was for, at the head of its error."""
    return f"{call.about}: " if call.about else ""


def _first_failed_call(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first failure of a group, whatever groups it stands in; a Ctrl-C before others."""
    interrupts, _ = group.split(KeyboardInterrupt)
    found: BaseException = interrupts or group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
