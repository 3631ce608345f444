"""The settings that a resume compares, as they are recorded."""

from __future__ import annotations

import math

from tvo_cli.training.resume import recorded_settings


def test_what_is_not_finite_is_recorded_by_its_name() -> None:
    found = dict(
        recorded_settings._flatten_settings({"surrogate": {"low": math.inf, "high": -math.inf}, "cap": [1.0, math.nan]})
    )
    assert found == {"surrogate.low": "inf", "surrogate.high": "-inf", "cap": [1.0, "nan"]}
