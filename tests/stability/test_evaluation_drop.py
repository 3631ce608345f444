"""Evaluations that fall are told from noise."""

from __future__ import annotations

import json

from tvo_cli.stability.evaluation_drop import EvaluationDrop


def test_it_is_restored_from_plain_json_and_a_low_peak_is_none() -> None:
    drop = EvaluationDrop(
        severity="collapse", patience=1, metric="eval/pass@1", bound="eval/pass@1_high", share=0.5, minimum_peak=0.2
    )
    drop.load_state_dict(json.loads(json.dumps(drop.state_dict())))
    assert drop.check(0, {"eval/pass@1": 0.19, "eval/pass@1_high": 0.2}) is None
    assert drop.check(1, {"eval/pass@1": 0.0, "eval/pass@1_high": 0.03}) is None, "the peak was not worth speaking of"
