"""Marks of tests that need an extra."""

from collections.abc import Callable
from importlib.util import find_spec

import pytest

_HAS_BITSANDBYTES = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="extra: bitsandbytes")


def needs_bitsandbytes(test: Callable[..., None]) -> Callable[..., None]:
    """Slow, for `make test-slow` alone installs its 125 MB."""
    return pytest.mark.slow(_HAS_BITSANDBYTES(test))  # type: ignore[no-any-return]
