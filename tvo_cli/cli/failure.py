"""Every failure as one line that says what to change, and an exit code. Tracebacks are for defects."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Iterator, Sequence

from tvo_cli import escaping
from tvo_cli.errors import UserError
from tvo_cli.standard_streams import OutputLost

USER, DEFECT, INTERRUPTED, SAVED = 2, 1, 130, 75
FULL = (errno.ENOSPC, errno.EDQUOT)
BROKEN = (errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE, errno.ETIMEDOUT)  # a drive, or the network behind it
NO_MEMORY = (errno.ENOMEM,)
TOO_MANY = {errno.EMFILE: "open files (ulimit -n)", errno.ENFILE: "open files"}
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
WRONG_PLACE = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.ENAMETOOLONG)


def report(error: BaseException, *, debug: bool = False, overrides: Sequence[str] = (), root: str = "train") -> int:
    """Print a failure on stderr; the exit code."""
    from tvo_cli.tracking.run_folder import without_secrets

    text, code = describe(error, overrides, root)
    if debug or code == DEFECT:
        print(escaping.lines(without_secrets("".join(traceback.format_exception(error)))), end="", file=sys.stderr)
    print(f"tvo: {escaping.terminal(without_secrets(text))}", file=sys.stderr)
    return code


def describe(error: BaseException, overrides: Sequence[str] = (), root: str = "train") -> tuple[str, int]:
    """A failure in one line, and its exit code."""
    for cause in chain(error):
        for say in (_user, _stopped, _usage, _output, _exhausted, _place, _machine):
            text, code = say(cause)
            if text:
                return " ".join(text.split()), code
    mended = _composition(error, overrides, root)
    if mended is not None:
        return " ".join(str(mended).split()), USER
    return f"a defect, not your doing: {type(error).__name__}: {error}", DEFECT


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what caused it, each once: Hydra wraps the errors of what it builds, and a cause may lead back."""
    found: BaseException | None = error
    seen: set[int] = set()
    while found is not None and id(found) not in seen:
        yield found
        seen.add(id(found))
        found = found.__cause__


def _user(error: BaseException) -> tuple[str, int]:
    return (str(error), USER) if isinstance(error, UserError) else ("", 0)


def _stopped(error: BaseException) -> tuple[str, int]:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", INTERRUPTED
    if type(error).__name__ == "Interrupted" and type(error).__module__.startswith("tvo_cli."):
        return f"{error}. The same command and output_dir go on from there.", SAVED
    return "", 0


def _usage(error: BaseException) -> tuple[str, int]:
    """Typer's own: an unknown command or option."""
    is_usage = type(error).__module__.partition(".")[0] in ("typer", "click") and hasattr(error, "format_message")
    return (f"{error.format_message()} See tvo --help.", USER) if is_usage else ("", 0)  # type: ignore[attr-defined]


def _output(error: BaseException) -> tuple[str, int]:
    """A stream that takes nothing more, of a command whose output is its product."""
    remedy = "Write it where there is room, or into a pipe that is read."
    return (f"{error}. {remedy}", USER) if isinstance(error, OutputLost) else ("", 0)


def _exhausted(error: BaseException) -> tuple[str, int]:
    """Memory and disk, also when a library reports them as text (safetensors does)."""
    refused = isinstance(error, OSError) and error.errno in NO_MEMORY
    if refused or isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        remedy = "Take a smaller rollout.batch_size, and trainer.microbatch_rows=8 or fewer."
        return f"out of memory. {remedy}", USER
    full = isinstance(error, OSError) and error.errno in FULL
    if full or "No space left on device" in str(error):
        named = getattr(error, "filename", None) or "the run folder"
        return f"output_dir: the disk is full while writing {named}. Free some, or name another folder.", USER
    return "", 0


def _place(error: BaseException) -> tuple[str, int]:
    """A file or folder that is not what it should be."""
    if not isinstance(error, OSError) or hasattr(error, "missing_cfg_file"):
        return "", 0
    if error.errno in FORBIDDEN:
        remedy = "Name a folder you may write to: output_dir=…"
        return f"{error.filename}: no permission ({error.strerror}). {remedy}", USER
    if error.errno in WRONG_PLACE and error.filename is not None:
        return f"{error.filename}: {error.strerror}.", USER
    return "", 0


def _machine(error: BaseException) -> tuple[str, int]:
    """What the machine refuses, and no setting of ours can change."""
    if not isinstance(error, OSError):
        return "", 0
    if error.errno in BROKEN:
        named = error.filename or "a file or a device"
        return f"{named}: {error.strerror}. Look at the drive or the network; the same command goes on.", USER
    if error.errno in TOO_MANY:
        return f"too many {TOO_MANY[error.errno]}: {error.strerror}.", USER
    return "", 0


def _composition(error: BaseException, overrides: Sequence[str], root: str) -> UserError | None:
    """What Hydra and OmegaConf say of a config."""
    module = type(error).__module__.partition(".")[0]
    if module not in ("hydra", "omegaconf"):
        return None
    from tvo_cli import config

    return config.explain(error, overrides, root)
