"""A process that belongs to no account: a container's random user, without a home or an entry in passwd."""

from __future__ import annotations

import os
from pathlib import Path

NO_HOME = "/nonexistent"  # what system accounts have
NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")  # where getpass.getuser() looks before it asks passwd


def complete() -> None:
    """Give libraries that ask for a home or a user's name an answer; they pass over a home that cannot be used."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = NO_HOME
    if not any(os.environ.get(name) for name in NAMES) and not _has_entry():
        os.environ["LOGNAME"] = f"uid-{os.getuid()}"


def _has_entry() -> bool:
    import pwd

    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    return True
