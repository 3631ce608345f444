"""The version of what judges: math-verify's, and a fingerprint of our rules."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tvo_cli.plugins.code_sources import code_fingerprint
from tvo_cli.plugins.scorer_reference import is_own_scorer


def grader_version(reward: Mapping[str, Any], scorers: Iterable[object] = ()) -> str:
    """What judges: math-verify's version, a hash of our rules, and of the own code among the data sets' scorers."""
    from importlib.metadata import version

    rules = Path(__file__).parents[1] / "reward"
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(rules.rglob("*.py")))).hexdigest()[:8]
    found = f"math-verify {version('math-verify')}, rules {digest}, deadline {reward['deadline']}"
    own = {str(reward["scorer"])} if reward.get("scorer") else {str(one) for one in scorers if is_own_scorer(one)}
    return ", ".join([found, *(f"{one} {code_fingerprint('scorer', one)[:8]}" for one in sorted(own))])
