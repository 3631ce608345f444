"""The fork server of a sweep: a process that has imported what its jobs import, and forks each of them.

Run as a module: `python -m tvo_cli.sweep.fork_server_process DESCRIPTOR MODULES…`, with one end of a socket whose
other end the sweep holds. It imports the modules, says READY (or why it may not serve), and then, for each request,
forks a supervisor, which forks its job. The process between server and supervisor ends at once, so the supervisor
becomes a child of the sweep, its nearest ancestor with PR_SET_CHILD_SUBREAPER, and needs the server no more. The job
goes back up the stack to `main` and runs its module there: it ends as any Python program does.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tvo_cli.sweep import supervisor_process
from tvo_cli.sweep.forked_process import ForkedProcess

READY = "ready"
GO = b"!"  # from the sweep to a supervisor: it knows of it, so the job may begin, and begins once
FAILED = 0  # in place of a process number: the request could not be carried out
LENGTH = 8  # bytes before a request that say how long it is


class JobRequest(NamedTuple):
    """A job to fork: `python -m MODULE ARGUMENTS…` as words, its environment, and how it is supervised."""

    words: list[str]
    environment: dict[str, str]
    grace: float
    timeout: float


def send_request(server: socket.socket, request: JobRequest, descriptors: Sequence[int]) -> None:
    """Send a request with the supervisor's end of its socket and the job's log, as descriptors."""
    data = json.dumps(request).encode()
    socket.send_fds(server, [len(data).to_bytes(LENGTH, "big")], list(descriptors))
    server.sendall(data)


def receive_request(sweep: socket.socket) -> tuple[JobRequest, list[int]] | None:
    """Receive a request and its descriptors; None when the sweep has closed its end, or is dead."""
    head, descriptors, _, _ = socket.recv_fds(sweep, LENGTH, 2)
    if len(head) < LENGTH:
        return None
    data = b""
    while len(data) < (length := int.from_bytes(head, "big")):
        part = sweep.recv(length - len(data))
        if not part:
            return None
        data += part
    return JobRequest(*json.loads(data)), descriptors


def serve(sweep: socket.socket, modules: Sequence[str]) -> JobRequest | None:
    """Fork jobs until the sweep lets go; return None then, and in each forked job its request."""
    refused = preload(sweep, modules)
    sweep.sendall((refused or READY).encode())
    while not refused and (received := receive_request(sweep)):
        request, descriptors = received
        pid = _fork_supervisor()
        if pid is None:
            sweep.close()
            _supervise_forked_job(request, *descriptors)  # which comes back in the job alone
            return request
        for descriptor in descriptors:
            os.close(descriptor)
        sweep.sendall(f"{pid}\n".encode())
    return None


def preload(sweep: socket.socket, modules: Sequence[str]) -> str:
    """Import the modules; return why jobs may not be forked from this process then, "" when they may."""
    gc.disable()  # until the fork: a collection would write to every page that the jobs share
    try:
        for name in modules:
            importlib.import_module(name)
    except Exception as error:  # a cold start meets it too, and describes it
        return f"{type(error).__name__}: {error}"
    poisoned = _trial_fork()
    gc.freeze()
    threads = len(list(Path("/proc/self/task").iterdir()))
    opened = [place for number, place in open_descriptors().items() if number not in (0, 1, 2, sweep.fileno())]
    if threads > 1:
        return f"an import has started {threads - 1} more threads"
    if opened:
        return f"an import has opened {', '.join(opened)}"
    return "an import has initialised CUDA" if poisoned else ""


def open_descriptors() -> dict[int, str]:
    """Return the open descriptors of this process, and what each stands for."""
    found = {}
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the listing itself
            found[int(link.name)] = str(link.readlink())
    return found


def _trial_fork() -> int:
    """Fork once and end; return 1 where torch could not use CUDA in the child, else 0.

    OpenBLAS ends its threads before any fork, and starts them again when it next needs them.
    """
    pid = os.fork()
    if pid == 0:
        torch = sys.modules.get("torch")
        os._exit(int(torch is not None and torch.cuda._is_in_bad_fork()))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _fork_supervisor() -> int | None:
    """Fork a supervisor by way of a process that ends at once; return its process number, in the supervisor None."""
    readable, told = os.pipe()
    try:
        between = os.fork()
    except OSError:
        os.close(readable)
        os.close(told)
        return FAILED
    if between == 0:
        try:
            supervisor = os.fork()
        except OSError:
            os._exit(1)
        if supervisor:
            os.write(told, str(supervisor).encode())
            os._exit(0)
        os.close(readable)
        os.close(told)
        return None
    os.close(told)
    os.waitpid(between, 0)
    said = os.read(readable, 32)
    os.close(readable)
    return int(said) if said else FAILED


def _supervise_forked_job(request: JobRequest, held: int, log: int) -> None:
    """Be the supervisor, which never comes back from here, and fork the job, which does."""
    try:
        os.setsid()
        for source, target in ((held, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.close(held)
        os.close(log)
        sweep = socket.socket(fileno=0)
        if sweep.recv(1) != GO:
            os._exit(1)
        stops = supervisor_process.listen_for_stop_requests()
        supervisor = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, stops.heard)  # no handler of the supervisor's runs in the job
        pid = os.fork()
        if pid == 0:
            sweep.detach()  # whose number becomes standard input
            return _become_job(request, stops, supervisor)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, stops.heard)
        with suppress(OSError):  # it has ended already
            os.setpgid(pid, pid)
        code = supervisor_process.supervise_job(ForkedProcess(pid), sweep, stops, request.grace, request.timeout)
    except BaseException:
        traceback.print_exc()
        code = 1
    os._exit(code)


def _become_job(request: JobRequest, stops: supervisor_process.StopRequests, supervisor: int) -> None:
    """Be the job: process group, signals, descriptors, environment and random state of a process of its own."""
    os.setpgid(0, 0)
    supervisor_process.die_with_supervisor(stops.heard)
    if os.getppid() != supervisor:  # which has died before it could take the job along
        os._exit(1)
    if signal.SIGINT in stops.heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, stops.heard)
    stops.asked.close()
    stops.told.close()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.environ.clear()
    os.environ.update(request.environment)
    _draw_apart()
    gc.enable()


def _draw_apart() -> None:
    """Seed the generators of numpy and torch anew, as each process begins with its own; Python's does so itself."""
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.seed()


def run_job(request: JobRequest) -> None:
    """Run a job in the child that the fork server has forked for it, as `python -m MODULE ARGUMENTS…` does."""
    _, _, module, *arguments = request.words
    sys.orig_argv[:] = request.words
    sys.argv[:] = [module, *arguments]  # runpy puts the file's path in place of the module
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def main() -> None:
    """Serve; in a forked job, run it."""
    request = serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
    if request is not None:
        run_job(request)


if __name__ == "__main__":
    main()
