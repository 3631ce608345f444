"""What a run leaves on disk besides metrics and checkpoints: config, command, versions, log, summary."""

from __future__ import annotations

import json
import logging
import math
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from tvo_cli import config as configuration
from tvo_cli import redaction, standard_streams

PACKAGES = (
    "tvo-cli",
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "accelerate",
    "hydra-core",
    "omegaconf",
    "datasets",
    "math-verify",
    "reasoning-gym",
    "numpy",
    "wandb",
    "rich",
    "typer",
)
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("w", encoding="utf-8", errors="backslashreplace") as file:  # half a surrogate pair
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def set_aside(path: Path, mark: str) -> None:
    """Move a file or folder, where there is one, next to its place: summary.json to summary-MARK.json."""
    if path.exists():
        path.replace(path.with_name(f"{path.stem}-{mark}{path.suffix}"))


def write_json(path: Path, content: Any) -> None:
    """Write strict JSON whole or not at all; numbers that are not finite become null."""
    write_text(path, json.dumps(_strict(content), indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write strict JSON lines whole or not at all."""
    lines = (json.dumps(_strict(row), allow_nan=False, ensure_ascii=False) + "\n" for row in rows)
    write_text(path, "".join(lines))


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _strict(child) for name, child in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_strict(child) for child in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)


def describe(folder: Path, config: Any, command: str, environment: Mapping[str, Any] | None = None) -> None:
    """config.yaml (resolved, secrets masked), command.txt, versions.json with what is known of the environment."""
    from omegaconf import OmegaConf

    tree = redaction.masked(configuration.plain(config))
    write_text(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(tree)))
    write_text(folder / "command.txt", command + "\n")
    where = {} if environment is None else {"environment": dict(environment)}
    write_json(folder / "versions.json", versions() | {"fingerprint": configuration.fingerprint(config)} | where)


def versions() -> dict[str, Any]:
    """What ran: python, packages, machine, threads, and the checkout's commit when there is one."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "hostname": socket.gethostname(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "threads": _torch_threads(),
        "processors": os.cpu_count(),
        "git": git_state(Path(__file__).resolve().parents[2]),
    }


@lru_cache
def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _torch_threads() -> int | None:
    """As torch has it, if something has imported torch: this room does not."""
    torch = sys.modules.get("torch")
    return int(torch.get_num_threads()) if torch is not None else None


@lru_cache  # of the code that this process has loaded
def git_state(checkout: Path) -> dict[str, Any] | None:
    """Commit and whether tracked files differ from it; None outside a checkout."""
    if not (checkout / ".git").exists():
        return None
    commit, changes = _git(checkout, "rev-parse", "HEAD"), _git(checkout, "status", "--porcelain", "-uno")
    return None if commit is None else {"commit": commit, "dirty": bool(changes)}


def _git(checkout: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(checkout), *words], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def without_secrets(text: str) -> str:
    """The text without values of secret-looking environment variables: a library's error may quote a key."""
    found = [value for name, value in os.environ.items() if redaction.is_secret(name) and len(value) >= 8]
    for value in sorted(found, key=len, reverse=True):
        text = text.replace(value, redaction.MASK)
    return text


class _Discreet(logging.Formatter):
    """Writes no secret of the environment into a log, whatever a message quotes."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, masked."""
        return without_secrets(super().format(record))


class _RunLog(logging.FileHandler):
    """run.log, which is also told what became of the console."""

    def note(self, text: str) -> None:
        """A line of its own, past the other handlers: one of them may be what has just failed."""
        self.handle(logging.LogRecord("tvo", logging.WARNING, __file__, 0, text, None, None))


def log_to(path: Path) -> logging.Handler:
    """Send the program's log, and everybody's warnings, to a file; the handler is for `log_no_more`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = _RunLog(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(_Discreet(LOG_FORMAT))
    standard_streams.listen(handler.note)
    logging.getLogger().addHandler(handler)
    logging.getLogger("tvo").setLevel(logging.INFO)
    return handler


def log_no_more(handler: logging.Handler) -> None:
    """Take a handler off and close it."""
    if isinstance(handler, _RunLog):
        standard_streams.ignore(handler.note)
    logging.getLogger().removeHandler(handler)
    handler.close()


def remove_empty(folder: Path) -> None:
    """Remove a folder and the two above it, as far as they are empty; never the working folder or one above it."""
    for place in (folder, *list(folder.parents)[:2]):
        if place == Path.cwd() or place in Path.cwd().parents:
            return
        try:
            place.rmdir()
        except OSError:
            return
