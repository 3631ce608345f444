"""The diagnosis of whole logs."""

from __future__ import annotations

from tvo_cli.diagnosis.diagnosis import diagnose
from tvo_cli.diagnosis.training_log import RunFacts, TrainingLog


def log(**columns: list[float]) -> TrainingLog:
    """A log with these columns; `_` in a name stands for `/`."""
    steps = range(max(map(len, columns.values())))
    names = {name: name.replace("_", "/", 1) for name in columns}
    return TrainingLog(
        RunFacts(), [{"step": step + 1, **{names[n]: v[step] for n, v in columns.items()}} for step in steps]
    )


def test_a_collapse_is_critical_since_its_first_step_and_a_dip_is_not() -> None:
    fallen = diagnose(log(accuracy_fresh=[0.4] * 10 + [0.05] * 12))
    assert fallen.verdict == "critical"
    (found,) = fallen.findings
    assert (found.failure, found.severity, found.active) == ("accuracy_collapse", "critical", True)
    assert 11 <= found.first_step <= found.alarm_step <= 18
    assert diagnose(log(accuracy_fresh=[0.4] * 10 + [0.05] + [0.4] * 10)).verdict == "healthy"
