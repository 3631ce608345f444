"""The version of what judges: math-verify's, and a fingerprint of our rules."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def grader_version(reward: Mapping[str, Any]) -> str:
    """What judges: math-verify's version and a hash of our rules."""
    from importlib.metadata import version

    rules = Path(__file__).parents[1] / "reward"
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(rules.rglob("*.py")))).hexdigest()[:8]
    return f"math-verify {version('math-verify')}, rules {digest}, deadline {reward['deadline']}"
