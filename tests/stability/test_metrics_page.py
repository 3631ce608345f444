"""docs/metrics.md is complete: every name that is tracked, or that a reading returns, is defined there."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from tvo_cli.stability import GradientNoiseReading, GradientNoiseSmoother, free_energy_of_batch, readings
from tvo_cli.tracking.metric_names import METRICS

PAGE = (Path(__file__).parent.parent.parent / "docs" / "metrics.md").read_text(encoding="utf-8")
DEFINED = {name for row in PAGE.splitlines() if row.startswith("| `") for name in re.findall(r"`([^`]+)`", row)}


def test_every_tracked_metric_is_defined() -> None:
    missing = {metric.name for metric in METRICS} - DEFINED
    assert missing == set()


def test_every_reading_is_defined() -> None:
    mask = torch.ones(2, 3, dtype=torch.bool)
    logp = torch.full((2, 3), -0.5)
    ids = torch.zeros(2, 3, dtype=torch.int64)
    gradient = GradientNoiseReading(2.0, 1.0, parts=2, rollouts=2, total_rollouts=4)
    returned = (
        readings.entropy_readings(logp, logp, mask)
        | readings.total_variation_readings(logp, logp, mask)
        | readings.kl_readings(logp, logp, mask, "kl_old")
        | readings.kl_readings(logp, logp, mask, "kl_ref")
        | readings.ratio_quantile_readings(logp, logp, mask)
        | readings.damping_readings(logp, mask)
        | readings.group_readings(torch.ones(2), torch.tensor([0, 0]))
        | readings.reward_readings(torch.ones(2), [True, False])
        | readings.length_readings(mask, mask[:, 0])
        | readings.answer_readings(["1", None], [0, 0])
        | readings.neutral_word_readings(ids, mask, (0,))
        | free_energy_of_batch(torch.ones(2), logp, mask, 0.0).metrics()
        | gradient.metrics()
        | GradientNoiseSmoother()(gradient)
    )
    assert set(returned) - DEFINED == set()
