"""Optional packages: imported when they are first needed, or the line that says how to install them."""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import Any

from tvo_cli.errors import UserError


def import_for(key: str, value: object, package: str, extra: str) -> Any:
    """The package that a setting needs.

    Raises:
        UserError: it is not installed, or does not start here.
    """
    try:
        return import_module(package)
    except ImportError as error:
        missing = error.name == package
        text = f"needs the package {package}." if missing else f"{package} cannot be imported ({error})."
        raise UserError(key, value, text, f"Run: pip install -e '.[{extra}]'") from error


def import_bitsandbytes(key: str, value: object) -> Any:
    """bitsandbytes, which on some CPUs would fetch a kernel from the hub and run it: that is not let happen."""
    warnings = logging.getLogger("bitsandbytes")
    missing, level = object(), warnings.level
    before = sys.modules.get("kernels", missing)
    sys.modules["kernels"] = None  # type: ignore[assignment]  # Python's way of saying: there is no such package
    warnings.setLevel(logging.ERROR)  # its complaint about the kernel that was not fetched
    try:
        return import_for(key, value, "bitsandbytes", "bitsandbytes")
    finally:
        warnings.setLevel(level)
        if before is missing:
            del sys.modules["kernels"]
        else:
            sys.modules["kernels"] = before  # type: ignore[assignment]
