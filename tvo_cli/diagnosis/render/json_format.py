"""A diagnosis as JSON: {"verdict", "findings": [{failure, severity, first_step, evidence, cost, remedies}]}."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tvo_cli.diagnosis.diagnosis import Diagnosis, worst
from tvo_cli.diagnosis.finding import Finding


def diagnoses_as_json(diagnoses: Sequence[Diagnosis]) -> str:
    """Return one run's diagnosis; of several runs the worst verdict and theirs under "runs"."""
    found = [diagnosis_as_mapping(one) for one in diagnoses]
    if len(found) == 1:
        return json.dumps(found[0], indent=2, allow_nan=False)
    runs = [{"run": one.log.facts.name, **each} for one, each in zip(diagnoses, found, strict=True)]
    return json.dumps({"verdict": worst([one.verdict for one in diagnoses]), "runs": runs}, indent=2, allow_nan=False)


def diagnosis_as_mapping(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return a diagnosis as plain data; numbers that are not finite are null."""
    return {"verdict": diagnosis.verdict, "findings": [_finding(one) for one in diagnosis.findings]}


def _finding(finding: Finding) -> dict[str, Any]:
    evidence = {
        "text": finding.message,
        "metric": finding.metric,
        **finding.evidence,
        "alarm_step": finding.alarm_step,
        "last_step": finding.last_step,
        "active": finding.active,
    }
    return {
        "failure": finding.failure,
        "severity": finding.severity,
        "first_step": finding.first_step,
        "evidence": _finite_json_numbers(evidence),
        "cost": _finite_json_numbers(asdict(finding.cost)) if finding.cost else None,
        "remedies": [
            {"text": one.text, "overrides": list(one.overrides), "command": one.command} for one in finding.remedies
        ],
    }


def _finite_json_numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a finding's evidence as JSON has them: null where one is not finite."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in values.items()
    }
