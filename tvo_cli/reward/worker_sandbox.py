"""The sandbox of a worker process: it cannot outlive its parent, take all memory, run a model's text or write files."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import Any

FORBIDDEN = frozenset(
    [
        *("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "subprocess.Popen"),
        *(
            "pty.spawn",
            "socket.connect",
            "socket.bind",
            "os.remove",
            "os.rename",
            "os.rmdir",
            "os.mkdir",
            "os.chmod",
        ),
        *("os.truncate", "os.link", "os.symlink", "shutil.rmtree"),
    ]
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PR_SET_PDEATHSIG = 1
GRACE = 2  # seconds of processor time beyond the deadline
LOOK = 0.25  # seconds between two looks at the parent and at the memory, where the kernel does not
OUT_OF_MEMORY = 77  # the exit code of a child that its own watch ended


def die_with_parent(parent: int, megabytes: int) -> None:
    """Linux kills this process when the thread that started it ends; elsewhere a thread of ours watches.

    Between rows the closed pipe ends a child everywhere; this is for the one at work on a row.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch_parent_and_memory, args=(parent, megabytes), daemon=True).start()
    if os.getppid() != parent:
        os._exit(0)


def _watch_parent_and_memory(parent: int, megabytes: int) -> None:
    """The sandbox's watch: end this process when its parent has changed or its memory is beyond the bound."""
    while os.getppid() == parent:
        if _peak_megabytes_of_worker() > megabytes:
            os._exit(OUT_OF_MEMORY)
        time.sleep(LOOK)
    os._exit(0)


def _peak_megabytes_of_worker() -> float:
    """For the sandbox's memory bound: the most memory that the worker process has held, megabytes."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)  # bytes there, kilobytes elsewhere


def limit_memory(megabytes: int) -> None:
    """Bound the address space, and write neither core dumps nor files."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


def limit_time(seconds: float) -> None:
    """The kernel ends this process by SIGPROF once it has used so much processor time from now.

    Processor time, since a row must not fail because other programs keep the machine busy; the kernel, since no
    signal handler of Python's runs inside a long computation in C. RLIMIT_CPU stands behind it.
    """
    import resource

    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + seconds) + GRACE, hard))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)


def lift_time_limit() -> None:
    """Take the limit of the last row away."""
    signal.setitimer(signal.ITIMER_PROF, 0.0)


def forbid_side_effects() -> None:
    """Refuse writing, programs and connections from here on; put our evaluator where eval was."""
    replace_eval_in_sympy()
    sys.addaudithook(_audit_hook)


def replace_eval_in_sympy() -> None:
    """sympy's parse_expr, and with it sympify of text, would run Python: let it walk the syntax tree."""
    from sympy.parsing import sympy_parser  # type: ignore[import-untyped]

    from tvo_cli.reward.safe_eval import evaluate_expression, names_allowed_in_sympy

    def eval_expr(code: str, local_dict: dict[str, Any], global_dict: dict[str, Any]) -> Any:
        return evaluate_expression(code, names_allowed_in_sympy(global_dict, local_dict))

    sympy_parser.eval_expr = eval_expr


def replace_eval_in_package(package: str) -> None:
    """Every module of a package finds our evaluator under the name eval, and no exec."""
    from tvo_cli.reward.safe_eval import UnsafeExpression, evaluate_expression

    def literal(source: object, *_: object) -> Any:
        return evaluate_expression(str(source))

    def refuse(*_: object) -> None:
        raise UnsafeExpression("exec")

    for name, module in list(sys.modules.items()):
        if name == package or name.startswith(f"{package}."):
            vars(module).update(eval=literal, exec=refuse)


def _audit_hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in FORBIDDEN:
        raise PermissionError(f"{event} is not for a grader")
    if event == "open" and _opens_for_writing(arguments):
        raise PermissionError("a grader writes no files")


def _opens_for_writing(arguments: tuple[Any, ...]) -> bool:
    path, mode, flags = (*arguments, None, None, None)[:3]
    if isinstance(path, int):
        return False
    by_mode = isinstance(mode, str) and any(letter in mode for letter in "wax+")
    return by_mode or (isinstance(flags, int) and bool(flags & WRITING))
