"""Entropy that rises: noise is told from exploration."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tvo_cli.stability.entropy_rise import EntropyRise


def rising(**changes: float) -> EntropyRise:
    settings: dict[str, Any] = {"rise": 3.0, "absolute": 0.5, "share": 0.5, "smoothing": 0.0, "patience": 2}
    names: dict[str, Any] = {"metric": "thermo/entropy", "per": "response/length"}
    return EntropyRise(severity="collapse", **names, **{**settings, **changes})


def fired(rule: EntropyRise, entropy: list[float], accuracy: list[float], length: float = 10.0) -> list[int]:
    """Steps at which it fires, of entropies a token."""
    rows = [
        {"thermo/entropy": h * length, "response/length": length, "accuracy/fresh": a}
        for h, a in zip(entropy, accuracy, strict=True)
    ]
    return [step for step, row in enumerate(rows, start=1) if rule.check(step, row)]


def test_noise_from_the_first_step_on_is_seen() -> None:
    """The batch of step 1 is the start's own; from 0.3 to 4 nats and from 0.125 to nothing after its update."""
    rule = rising()
    assert fired(rule, [0.3, 4.0, 4.0, 4.0], [0.125, 0.0, 0.0, 0.0]) == [3, 4]
    assert rule.start == 0.3


@pytest.mark.parametrize(
    ("entropy", "accuracy"),
    [
        ([0.3, 1.2, 1.2, 1.2], [0.2, 0.2, 0.25, 0.3]),  # exploration: no answer is lost
        ([0.3, 0.5, 0.6, 0.8], [0.4, 0.1, 0.1, 0.1]),  # a fall without noise: other rules' business
        ([0.05, 0.4, 0.4, 0.4], [0.4, 0.1, 0.1, 0.1]),  # eight times next to nothing
        ([0.3, 4.0, 4.0, 4.0], [0.0, 0.0, 0.0, 0.0]),  # nothing was ever known
        ([0.3, 4.0, 0.3, 4.0], [0.4, 0.0, 0.4, 0.0]),  # never twice in a row
    ],
)
def test_what_is_no_collapse_into_noise(entropy: list[float], accuracy: list[float]) -> None:
    assert fired(rising(), entropy, accuracy) == []


def test_longer_responses_alone_are_no_noise() -> None:
    """Entropy a response grows with its length; a token's does not."""
    rule, rows = rising(), [(3.0, 10.0, 0.4), (30.0, 100.0, 0.1), (30.0, 100.0, 0.1)]
    found = [
        rule.check(k, {"thermo/entropy": h, "response/length": n, "accuracy/fresh": a})
        for k, (h, n, a) in enumerate(rows, start=1)
    ]
    assert found == [None] * 3


def test_missing_and_empty_readings_tell_nothing() -> None:
    rule = rising()
    assert rule.check(1, {"accuracy/fresh": 0.4, "thermo/entropy": 3.0}) is None
    assert rule.check(1, {"accuracy/fresh": 0.4, "thermo/entropy": 3.0, "response/length": 0.0}) is None
    assert rule.start is None


def test_it_is_restored_from_plain_json() -> None:
    rule, other = rising(), rising()
    fired(rule, [0.3, 2.0], [0.4, 0.1])
    other.load_state_dict(json.loads(json.dumps(rule.state_dict())))
    assert other.state_dict() == rule.state_dict() and fired(other, [4.0], [0.0]) == [1]
