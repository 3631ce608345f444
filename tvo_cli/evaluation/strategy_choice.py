"""DiffAdapt: which of three strategies a question gets, how questions are labelled for that, and what it came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, NamedTuple

from tvo_cli.evaluation.protocol import Protocol, protocol_from_record
from tvo_cli.evaluation.responses import GradedResponse, responses_by_problem

STRATEGIES = ("easy", "normal", "hard")


@dataclass(frozen=True, slots=True)
class LabelThresholds:
    """Where a question counts as what; the paper's are of one family of models, and are found for each."""

    normal_accuracy: float  # α, least share of right answers
    normal_entropy: float  # β, largest mean entropy of a token, nats
    hard_accuracy: float  # γ, a lower share is hard


def strategy_label(accuracy: float, entropy: float, thresholds: LabelThresholds) -> str:
    """normal if accuracy ≥ α and entropy ≤ β; else hard if accuracy < γ; else easy, in this order.

    DiffAdapt, arXiv:2510.19669. A question that is answered right and without doubt is given all the room there is;
    one that is answered right in doubt is thought about too much, one that is answered wrong gains nothing by it.

    Fidelity: notes (no code of the authors was released; prompts are our wording).

    Args:
        accuracy: share of right answers among the samples of a question.
        entropy: mean over its samples of their mean token entropy, nats.
        thresholds: accuracy ≥ 0 and entropy ≤ inf recover the normal strategy for every question.
    """
    if accuracy >= thresholds.normal_accuracy and entropy <= thresholds.normal_entropy:
        return "normal"
    return "hard" if accuracy < thresholds.hard_accuracy else "easy"


def strategy_protocol(protocol: Protocol, strategy: str) -> Protocol:
    """How a question of this strategy is asked: the protocol itself without its choice, or what it holds of another."""
    if strategy == "normal":
        return replace(protocol, adapt={})
    return replace(protocol_from_record(protocol.adapt[strategy]), shots=protocol.shots)


def confusion(labels: Sequence[str], chosen: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many questions of each label were given which strategy."""
    pairs = list(zip(labels, chosen, strict=True))
    return {label: {one: pairs.count((label, one)) for one in STRATEGIES} for label in STRATEGIES}


def summarise_strategies(rows: Sequence[GradedResponse], probe: Mapping[str, Any]) -> dict[str, Any]:
    """Of each strategy its problems, mean score and mean tokens; and what the choice has cost besides, in tokens.

    A prompt that the probe read counts once a problem; where the strategy's own prompt is another one, the model reads
    that as well. Labels cost what was sampled for them, once for all evaluations by this probe.

    Args:
        rows: of one suite, with `strategy`.
        probe: `labelled`, `label_tokens` and the like, as the identity of the evaluation records them.
    """
    found: dict[str, Any] = {}
    for name in STRATEGIES:
        own = [row for row in rows if row.strategy and row.strategy["name"] == name]
        if own:
            graded = [row for row in own if row.correct is not None]
            found[name] = {
                "problems": len({row.id for row in own}),
                "avg": fmean(bool(row.correct) for row in graded) if graded else None,
                "tokens": fmean(row.tokens for row in own),
            }
    first = [group[0] for group in responses_by_problem(rows).values()]
    read = sum(int(row.strategy["read"]) for row in first if row.strategy)
    costs = {name: probe[name] for name in ("labelled", "label_tokens", "label_prompt_tokens")}
    return found | {"probe_tokens": read, **costs}


class ChosenStrategy(NamedTuple):
    """The strategy by which one problem is asked, and the tokens of its prompt that were read to choose."""

    name: str  # of STRATEGIES
    read: int
