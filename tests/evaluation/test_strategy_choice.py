"""DiffAdapt's labels, its strategies as protocols, and what a choice has cost, by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.evaluation.test_pair_cost import ROW
from tests.evaluation.test_protocol import protocol
from tvo_cli.evaluation.strategy_choice import (
    LabelThresholds,
    confusion,
    strategy_label,
    strategy_protocol,
    summarise_strategies,
)

LIMITS = LabelThresholds(normal_accuracy=0.85, normal_entropy=0.35, hard_accuracy=0.6)
PROBE = {"labelled": 40, "label_tokens": 5600, "label_prompt_tokens": 520, "held_out": 8}


@pytest.mark.parametrize(
    ("accuracy", "entropy", "label"),
    [(0.9, 0.3, "normal"), (0.5, 0.1, "hard"), (0.5, 2.0, "hard"), (0.9, 0.5, "easy"), (0.7, 0.3, "easy")],
)
def test_the_labels_of_the_specification(accuracy: float, entropy: float, label: str) -> None:
    assert strategy_label(accuracy, entropy, LIMITS) == label


def test_at_the_borders_the_rules_hold_in_their_order() -> None:
    assert strategy_label(0.85, 0.35, LIMITS) == "normal" and strategy_label(0.6, 0.0, LIMITS) == "easy"
    overlapping = LabelThresholds(normal_accuracy=0.5, normal_entropy=0.35, hard_accuracy=0.9)
    assert strategy_label(0.6, 0.1, overlapping) == "normal", "before it is asked whether it is hard"
    every = LabelThresholds(normal_accuracy=0.0, normal_entropy=math.inf, hard_accuracy=0.6)
    assert strategy_label(0.0, 5.0, every) == "normal"


@pytest.mark.slow
def test_each_strategy_is_the_protocol_of_its_name_and_normal_is_the_protocol_itself() -> None:
    found = protocol("protocol=diffadapt", suites="gsm8k")
    for name in ("easy", "normal", "hard"):
        own = strategy_protocol(found, name)
        wanted = protocol(f"protocol=diffadapt_{name}", suites="gsm8k")
        assert replace(own, name=wanted.name) == wanted, name
    other = protocol("protocol=diffadapt", "protocol.adapt.hard_accuracy=0.5", suites="gsm8k")
    assert other.fingerprint != found.fingerprint, "how it is chosen is part of the protocol"


def test_confusion_counts_pairs() -> None:
    found = confusion(["easy", "easy", "hard"], ["easy", "normal", "hard"])
    assert found["easy"] == {"easy": 1, "normal": 1, "hard": 0} and found["hard"]["hard"] == 1
    assert sum(sum(row.values()) for row in found.values()) == 3


def test_a_prompt_that_the_probe_reads_counts_once_a_problem() -> None:
    """Two samples of an easy problem of 13 prompt tokens, one of a hard one of 20: 33, not 46."""
    easy, hard = {"name": "easy", "read": 13}, {"name": "hard", "read": 20}
    rows = [
        replace(ROW, id="a", sample=0, tokens=4, correct=True, strategy=easy),
        replace(ROW, id="a", sample=1, tokens=8, correct=False, strategy=easy),
        replace(ROW, id="b", sample=0, tokens=10, correct=False, strategy=hard),
    ]
    found = summarise_strategies(rows, PROBE)
    assert found["easy"] == {"problems": 1, "avg": 0.5, "tokens": 6.0}
    assert found["hard"] == {"problems": 1, "avg": 0.0, "tokens": 10.0} and "normal" not in found
    assert (found["probe_tokens"], found["labelled"], found["label_tokens"]) == (33, 40, 5600)
