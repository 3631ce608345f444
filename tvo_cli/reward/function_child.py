"""The child process of a user's own function: reads one call a line from its input, writes one outcome a line.

Own code is trusted: it may read and write files, use the network and a GPU, start programs, and use as much memory
as it likes, which the grader's children may not. It cannot outlive its parent, and a deadline ends it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import IO

from tvo_cli.errors import UserError
from tvo_cli.plugins.own_code_loading import load_callable
from tvo_cli.reward import worker_sandbox
from tvo_cli.reward.function_call import call_on_batch, request_from_json
from tvo_cli.reward.json_tuples import untag_tuples

READY = "ready"
UNBOUNDED = 1 << 40  # megabytes
PRINTED = 2000  # bytes of a call's output that are told, its last ones


def serve_calls(parent: str, _: str) -> None:
    """Load the function that the first line names; then an outcome for each further line, until the input ends."""
    worker_sandbox.die_with_parent(int(parent), UNBOUNDED)
    answers = os.fdopen(os.dup(1), "w", encoding="ascii", buffering=1)
    output = _redirect_function_output()
    named = json.loads(sys.stdin.buffer.readline())
    try:
        function = load_callable(named["key"], named["call"])
    except UserError as error:
        print(json.dumps({"refused": error.problem}), file=answers)
        return
    print(json.dumps(READY), file=answers)
    folder = Path.cwd()
    for line in sys.stdin.buffer:
        told = json.loads(line, object_hook=untag_tuples)
        request = request_from_json(told["request"])
        worker_sandbox.limit_time(told["deadline"])
        outcome = call_on_batch(function, request)
        worker_sandbox.lift_time_limit()
        os.chdir(folder)
        print(json.dumps(asdict(outcome) | {"printed": _take_function_output(output)}), file=answers)


def _redirect_function_output() -> IO[bytes]:
    """In the child: what the function or a library prints goes to a file, and may not look like an outcome."""
    output = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the process)
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    return output


def _take_function_output(output: IO[bytes]) -> str:
    """In the child: the end of what has been printed since the last call."""
    sys.stdout.flush()
    sys.stderr.flush()
    size = os.fstat(output.fileno()).st_size
    found = os.pread(output.fileno(), PRINTED, max(size - PRINTED, 0))
    os.ftruncate(output.fileno(), 0)
    os.lseek(output.fileno(), 0, os.SEEK_SET)
    return found.decode("utf-8", "replace")
