"""What libraries need of a user's account: HOME, a user's name, cache folders that can be made.

A container's random user has no home and no entry in passwd; a cluster's node may have its caches read-only.
"""

from __future__ import annotations

import os
from pathlib import Path

from tvo_cli import standard_streams

NO_HOME = "/nonexistent"  # what system accounts have
NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")  # where getpass.getuser() looks before it asks passwd
CACHES = ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")  # made when torch is imported, whether used or not


def complete_user_account() -> None:
    """Set HOME, LOGNAME and cache folders where the account lacks them."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = NO_HOME
    if not any(os.environ.get(name) for name in NAMES) and not _has_passwd_entry():
        os.environ["LOGNAME"] = f"uid-{os.getuid()}"
    for name in CACHES:
        if os.environ.get(name):
            _make_cache_folder(name, Path(os.environ[name]))


def _has_passwd_entry() -> bool:
    """Return whether the user has an entry in passwd."""
    import pwd

    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    return True


def _make_cache_folder(name: str, place: Path) -> None:
    """Make a cache's folder, else let the library choose its own."""
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        del os.environ[name]
        standard_streams.note_stream_event(
            f"{name}={place} cannot be made ({error.strerror}); the library's own choice stands"
        )
