"""The summary of each suite from its graded responses: a pure function of the rows, the same after a resume."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from tvo_cli.errors import UserError
from tvo_cli.evaluation import grader_disagreement, suite
from tvo_cli.evaluation.answer_equality import AnswerEquality, Equal, said_of_unsettled
from tvo_cli.evaluation.counted_responses import counted_responses, incomplete_decodings
from tvo_cli.evaluation.responses import GradedResponse, responses_by_problem
from tvo_cli.evaluation.suite import Suite
from tvo_cli.stats import (
    ConfidenceInterval,
    answer_entropy,
    clustered_interval,
    majority_answers,
    majority_score,
    pass_at_k,
    standard_error,
)

log = logging.getLogger("tvo")
PER_PROBLEM = 100  # suites of at most so many problems list every one


def summarise_suite(
    rows: Sequence[GradedResponse], ks: Sequence[int], equal: Equal, confidence: float
) -> dict[str, Any]:
    """The figures of one suite. Problems are the independent units of every interval."""
    sampled = responses_by_problem([row for row in rows if row.decoding == "sampled"])
    equalities = {name: AnswerEquality(equal) for name in sampled}  # of maj@k, its ties and the entropy
    greedy = responses_by_problem([row for row in rows if row.decoding == "greedy"])
    main = sampled or greedy
    figures = {
        "confidence": confidence,
        "problems": len(main),
        "samples": len(next(iter(main.values()))),
        "avg": _average_at_k_of_suite(main, confidence) if sampled else None,
        "pass": {str(k): _pass_at_k_of_suite(sampled, k, confidence) for k in ks} if sampled else {},
        "maj": _majority_at_k_of_suite(sampled, equalities, confidence) if sampled else None,
        "greedy": _average_at_k_of_suite(greedy, confidence) if greedy else None,
        "answer_entropy": _mean_answer_entropy(sampled, equalities) if sampled else None,
    }
    every = [row for group in main.values() for row in group]
    breakdown = {noun: _average_by_category(main, noun, confidence) for noun in ("level", "subject")}
    figures["audit"] = grader_disagreement.summarise_disagreement(rows, confidence)
    return figures | lengths_and_costs(every, rows) | breakdown | {"by_problem": _counts_by_problem(main)}


def lengths_and_costs(main: Sequence[GradedResponse], rows: Sequence[GradedResponse]) -> dict[str, Any]:
    """How the model answered, and what it cost: lengths and shares of the main decoding, time and tokens of all."""
    seconds, tokens = sum(row.seconds for row in rows), sum(row.tokens for row in rows)
    return {
        "length": fmean(row.tokens for row in main),
        "truncated": fmean(row.finish == "length" for row in main),
        "unanswered": fmean(row.extracted is None for row in main),
        "grader_failed": sum(row.failed for row in rows),
        "seconds": seconds,
        "tokens": tokens,
        "tokens_per_second": tokens / seconds if seconds else 0.0,
    }


def scores_to_summarise(group: Sequence[GradedResponse]) -> list[float]:
    """The scores of a problem's responses: 1 for a correct one, 0 else."""
    ungraded = next((row for row in group if row.correct is None), None)
    if ungraded is not None:
        raise UserError("responses", ungraded.id, "has not been graded.", "Run: tvo eval --regrade RUN")
    return [float(bool(row.correct)) for row in group]


def _clustered_figures(rows: Sequence[Sequence[float]], confidence: float) -> dict[str, float]:
    """Mean, ends of the interval and standard error, clustered by problem."""
    found: ConfidenceInterval = clustered_interval(rows, confidence)
    error = standard_error([fmean(row) for row in rows])
    return {"mean": found.mean, "low": found.low, "high": found.high, "error": error}


def _average_at_k_of_suite(groups: Mapping[str, Sequence[GradedResponse]], confidence: float) -> dict[str, Any]:
    """avg@k: the mean over problems of the mean over their k samples."""
    return _clustered_figures([scores_to_summarise(group) for group in groups.values()], confidence)


def _pass_at_k_of_suite(groups: Mapping[str, Sequence[GradedResponse]], k: int, confidence: float) -> dict[str, Any]:
    chances = [pass_at_k(len(group), round(sum(scores_to_summarise(group))), k) for group in groups.values()]
    return _clustered_figures([[chance] for chance in chances], confidence)


def _majority_at_k_of_suite(
    groups: Mapping[str, Sequence[GradedResponse]], equalities: Mapping[str, AnswerEquality], confidence: float
) -> dict[str, Any]:
    """maj@k: whether the most frequent answer is right; a tie counts the mean of the tied, and is counted.

    `unsettled`: pairs of answers beyond the bounds of what is compared, where there are some.
    """
    found, ties = [], 0
    for name, group in groups.items():
        answers, equal = [row.extracted for row in group], equalities[name]
        found.append([majority_score(answers, [bool(score) for score in scores_to_summarise(group)], equal)])
        ties += len(majority_answers(answers, equal)) > 1
    unsettled = sum(equal.unsettled for equal in equalities.values())
    if unsettled:
        log.warning("%s", said_of_unsettled(list(equalities.values())))
    return _clustered_figures(found, confidence) | {"ties": ties} | ({"unsettled": unsettled} if unsettled else {})


def _mean_answer_entropy(
    groups: Mapping[str, Sequence[GradedResponse]], equalities: Mapping[str, AnswerEquality]
) -> float:
    """The mean answer entropy in a suite's summary, nats."""
    return fmean(answer_entropy([row.extracted for row in group], equalities[name]) for name, group in groups.items())


def _average_by_category(
    groups: Mapping[str, Sequence[GradedResponse]], noun: str, confidence: float
) -> dict[str, Any]:
    """The average of each level or subject; nothing where there is only one."""
    parts: dict[str, dict[str, Sequence[GradedResponse]]] = {}
    for name, group in groups.items():
        parts.setdefault(getattr(group[0], noun), {})[name] = group
    if len(parts) < 2:
        return {}
    return {
        part: _average_at_k_of_suite(parts[part], confidence) | {"problems": len(parts[part])} for part in sorted(parts)
    }


def _counts_by_problem(groups: Mapping[str, Sequence[GradedResponse]]) -> list[dict[str, Any]]:
    """Right and drawn of every problem of a small suite."""
    if len(groups) > PER_PROBLEM:
        return []
    return [{"id": name, "right": round(sum(scores_to_summarise(g))), "samples": len(g)} for name, g in groups.items()]


def summaries_by_suite(
    suites: Sequence[Suite], rows: Sequence[GradedResponse], equal: Equal, confidence: float
) -> dict[str, Any]:
    """Return the numbers of each suite, by its name; a suite of which no problem is whole has none."""
    found = {one.name: (one, counted_responses([one], rows)) for one in suites}
    return {name: _summary_of_suite(one, own, equal, confidence) for name, (one, own) in found.items() if own}


def _summary_of_suite(found: Suite, own: Sequence[GradedResponse], equal: Equal, confidence: float) -> dict[str, Any]:
    """A suite's summary over the problems that were asked for, in their order; those that a kill tore are left out."""
    part = suite.fingerprint_of_answered(found, {row.id for row in own})
    about: dict[str, Any] = {
        "protocol": found.protocol.name,
        "protocol_hash": found.protocol.fingerprint,
        "fingerprint": part,
    }
    lacking = incomplete_decodings(found, own)
    about |= {"incomplete": lacking} if lacking else {}
    if any(row.correct is None for row in own):
        return about | {"problems": len(found.problems), "graded": False} | lengths_and_costs(own, own)
    return about | {"graded": True} | summarise_suite(own, found.ks, equal, confidence)
