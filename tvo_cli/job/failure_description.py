"""Every failure described as one line that says what to change, and its exit code."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence

from tvo_cli.errors import UserError
from tvo_cli.standard_streams import OutputLost

USER_ERROR, INTERNAL_ERROR, INTERRUPTED, SAVED = 2, 1, 130, 75
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
DEVICE_ERRORS = (
    errno.EIO,
    errno.ENXIO,
    errno.ENODEV,
    errno.ESTALE,
    errno.ETIMEDOUT,
)  # a drive, or the network behind it
NO_MEMORY = (errno.ENOMEM,)
TOO_MANY_FILES = {errno.EMFILE: "open files (ulimit -n)", errno.ENFILE: "open files"}
DEPENDENCIES = {  # as they are imported; what diagnoses need is not among them
    *("hydra", "omegaconf", "torch", "transformers", "tokenizers", "safetensors", "huggingface_hub", "accelerate"),
    *("datasets", "pyarrow", "pandas", "numpy", "scipy", "matplotlib", "wandb", "jinja2", "httpx"),
    *("math_verify", "latex2sympy2_extended", "sympy"),
}
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
WRONG_PATH = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.ENAMETOOLONG)


def describe_failure(error: BaseException, overrides: Sequence[str] = (), root: str = "train") -> tuple[str, int]:
    """Return a failure as one line, and its exit code."""
    for cause in causes_of_failure(error):
        for say in (
            _describe_user_error,
            _describe_missing_dependency,
            _describe_interruption,
            _describe_usage_error,
            _describe_lost_output,
            _describe_full_memory_or_disk,
            _describe_own_failure,
            _describe_file_error,
            _describe_device_error,
        ):
            text, code = say(cause)
            if text:
                return " ".join(text.split()), code
    mended = _config_error(error, overrides, root)
    if mended is not None:
        return " ".join(str(mended).split()), USER_ERROR
    return f"internal error (please report):  {type(error).__name__}: {error}", INTERNAL_ERROR


def causes_of_failure(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it, each once: Hydra wraps errors, and a cause may lead back."""
    found: BaseException | None = error
    seen: set[int] = set()
    while found is not None and id(found) not in seen:
        yield found
        seen.add(id(found))
        found = found.__cause__


def _describe_missing_dependency(error: BaseException) -> tuple[str, int]:
    """Return the line of an installation without a package of ours, as one for diagnoses alone is (docs/trl.md)."""
    package = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if package not in DEPENDENCIES:
        return "", 0
    remedy = "pip install -e . in a clone (without --no-deps) installs it."
    return f"{package} is not installed; this command needs it, `tvo diagnose` does not. {remedy}", USER_ERROR


def _describe_user_error(error: BaseException) -> tuple[str, int]:
    """Return the line and exit code of a UserError; empty for any other error."""
    return (str(error), USER_ERROR) if isinstance(error, UserError) else ("", 0)


def _describe_interruption(error: BaseException) -> tuple[str, int]:
    """Return the line and exit code of Ctrl-C, or of a run that was stopped and saved."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", INTERRUPTED
    if type(error).__name__ == "Interrupted" and type(error).__module__.startswith("tvo_cli."):
        return f"{error}. The same command and output_dir resume from there.", SAVED
    return "", 0


def _describe_usage_error(error: BaseException) -> tuple[str, int]:
    """Return the line and exit code of Typer's own error: an unknown command or option."""
    is_usage = type(error).__module__.partition(".")[0] in ("typer", "click") and hasattr(error, "format_message")
    text = error.format_message().rstrip(".") if is_usage else ""  # type: ignore[attr-defined]
    end = "" if text.endswith("?") else "."
    command = getattr(getattr(error, "ctx", None), "command_path", "") or "tvo"
    return (f"{text}{end} See {command} --help.", USER_ERROR) if is_usage else ("", 0)


def _describe_lost_output(error: BaseException) -> tuple[str, int]:
    """Return the line and exit code of a lost standard output."""
    remedy = "Write it where there is room, or into a pipe that is read."
    return (f"{error}. {remedy}", USER_ERROR) if isinstance(error, OutputLost) else ("", 0)


def _describe_full_memory_or_disk(error: BaseException) -> tuple[str, int]:
    """Return the line and exit code of full memory or disk, also where a library reports it as text."""
    refused = isinstance(error, OSError) and error.errno in NO_MEMORY
    if refused or isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        remedy = "Take a smaller rollout.batch_size, and trainer.microbatch_rows=8 or fewer."
        return f"out of memory. {remedy}", USER_ERROR
    full = isinstance(error, OSError) and error.errno in DISK_FULL
    if full or "No space left on device" in str(error):
        named = getattr(error, "filename", None) or "the run folder"
        return f"output_dir: the disk is full while writing {named}. Free some, or name another folder.", USER_ERROR
    return "", 0


def _describe_own_failure(error: BaseException) -> tuple[str, int]:
    """Return the line and exit code of an error of the user's own code, whatever its kind."""
    from tvo_cli.plugins.own_failure import own_failure

    found = own_failure(error)
    return ("", 0) if found is None else (str(found), USER_ERROR)


def _describe_file_error(error: BaseException) -> tuple[str, int]:
    """Return the line and exit code of a file or folder that is missing, forbidden or of the wrong kind."""
    if not isinstance(error, OSError) or hasattr(error, "missing_cfg_file"):
        return "", 0
    if error.errno in FORBIDDEN:
        remedy = "Name a folder you may write to: output_dir=…"
        return f"{error.filename}: no permission ({error.strerror}). {remedy}", USER_ERROR
    if error.errno in WRONG_PATH and error.filename is not None:
        return f"{error.filename}: {error.strerror}.", USER_ERROR
    return "", 0


def _describe_device_error(error: BaseException) -> tuple[str, int]:
    """Return the line and exit code of a failing drive, or of too many open files."""
    if not isinstance(error, OSError):
        return "", 0
    if error.errno in DEVICE_ERRORS:
        named = error.filename or "a file or a device"
        return (
            f"{named}: {error.strerror}. Check the drive or the network; the same command resumes the run.",
            USER_ERROR,
        )
    if error.errno in TOO_MANY_FILES:
        return f"too many {TOO_MANY_FILES[error.errno]}: {error.strerror}.", USER_ERROR
    return "", 0


def _config_error(error: BaseException, overrides: Sequence[str], root: str) -> UserError | None:
    """Return what Hydra and OmegaConf say of a config, as a UserError."""
    module = type(error).__module__.partition(".")[0]
    if module not in ("hydra", "omegaconf"):
        return None
    from tvo_cli import config

    return config.explain_hydra_error(error, overrides, root)
