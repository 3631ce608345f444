"""Optional packages: imported when they are first needed, or the line that says how to install them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from tvo_cli.errors import UserError

FETCHER = "kernels"  # a package by which bitsandbytes would fetch code from the hub, on some CPUs


def import_for(key: str, value: object, package: str, extra: str) -> Any:
    """The package that a setting needs; what it imports in turn fetches no code from the hub.

    Raises:
        UserError: it is not installed, or does not start here.
    """
    try:
        with _optional_package_fetches_nothing():
            return import_module(package)
    except ImportError as error:
        missing = error.name == package
        text = f"needs the package {package}." if missing else f"{package} cannot be imported ({error})."
        raise UserError(key, value, text, f"Run: pip install -e '.[{extra}]'") from error


@contextmanager
def _optional_package_fetches_nothing() -> Iterator[None]:
    """Inside, an optional package that is imported fetches nothing: peft's bitsandbytes asks FETCHER for a kernel."""
    complaints, missing = logging.getLogger("bitsandbytes"), object()
    before, level = sys.modules.get(FETCHER, missing), complaints.level
    sys.modules[FETCHER] = None  # type: ignore[assignment]  # Python's way of saying: there is no such package
    complaints.setLevel(logging.ERROR)
    try:
        yield
    finally:
        complaints.setLevel(level)
        del sys.modules[FETCHER]
        if before is not missing:
            sys.modules[FETCHER] = before  # type: ignore[assignment]
