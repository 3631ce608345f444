"""The failure that a run folder is known to have, without reading its metrics: from its diagnosis or its verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tvo_cli.tracking import run_status

DIAGNOSIS_FILE = "diagnosis.json"  # written at the end of a run: what `tvo diagnose --format json` prints
FAILURES_OF_RULES = {  # live rules of conf/stability, the telling ones first → failures of `tvo diagnose`
    "nonfinite_persistent": "nonfinite",
    "entropy_floor": "entropy_collapse",
    "neutral_floor": "mode_collapse",
    "accuracy_drop": "accuracy_collapse",
    "reward_drop": "accuracy_collapse",
    "tv_ceiling": "policy_drift",
    "kl_ceiling": "policy_drift",
}


def known_failure(folder: Path, collapse: Mapping[str, Any]) -> str:
    """Return the name of the worst failure; empty where none is known."""
    found = _diagnosis(folder)
    if found is None:
        return _failure_of_verdict(collapse)
    return str(found[0].get("failure", "")) if found else ""


def _diagnosis(folder: Path) -> list[Mapping[str, Any]] | None:
    """Return the known failures of a run that was diagnosed at its end, those that count; None of one that was not.

    One that goes on after its end, or begins anew, is told by its live rules: the diagnosis is that of fewer steps.
    """
    if run_status.read_status(folder).get("state", run_status.FINISHED) != run_status.FINISHED:
        return None
    try:
        told = json.loads((folder / DIAGNOSIS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    listed = told.get("findings") if isinstance(told, dict) else None
    if not isinstance(listed, list) or told.get("verdict") == "healthy":
        return []
    return [one for one in listed if isinstance(one, dict)]


def _failure_of_verdict(collapse: Mapping[str, Any]) -> str:
    listed = collapse.get("firings")
    fired = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    severe = {str(one.get("rule")) for one in fired if one.get("severity") == "collapse"}
    return next((failure for rule, failure in FAILURES_OF_RULES.items() if rule in severe), "")
