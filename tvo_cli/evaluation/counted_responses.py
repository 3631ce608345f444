"""Which responses count: those of the problems that were asked for, where all of a problem's are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tvo_cli.evaluation.protocol import completions_per_problem, protocol_decodings
from tvo_cli.evaluation.responses import GradedResponse
from tvo_cli.evaluation.suite import Suite

Incomplete = dict[str, dict[str, int]]  # by decoding: `whole` of `problems`


def counted_responses(suites: Sequence[Suite], rows: Sequence[GradedResponse]) -> list[GradedResponse]:
    """The responses of the suites' problems, by suite and in the order of their problems.

    A problem counts in a decoding with all of its responses or with none: which of them a kill has left depends on
    their lengths, so that a mean over some is biased.
    """
    return [row for found in suites for row in _counted_of_suite(found, rows)]


def _counted_of_suite(found: Suite, rows: Sequence[GradedResponse]) -> list[GradedResponse]:
    order = {problem.id: place for place, problem in enumerate(found.problems)}
    needed = {name: completions_per_problem(found.protocol, name) for name in protocol_decodings(found.protocol)}
    own = [row for row in rows if row.suite == found.name and row.id in order]
    counts = Counter((row.id, row.decoding) for row in own)
    whole = [row for row in own if counts[row.id, row.decoding] == needed.get(row.decoding)]
    return sorted(whole, key=lambda row: (order[row.id], row.sample))


def incomplete_decodings(found: Suite, counted: Sequence[GradedResponse]) -> Incomplete:
    """Of each decoding of a suite that lacks problems, how many problems are whole; nothing where all are there."""
    whole = Counter(name for name, _ in {(row.decoding, row.id) for row in counted if row.suite == found.name})
    every = len(found.problems)
    return {
        name: {"whole": whole[name], "problems": every}
        for name in protocol_decodings(found.protocol)
        if whole[name] < every
    }


def said_of_incomplete(name: str, incomplete: Incomplete) -> str:
    """What is there of a suite, as one sentence begins: math: all sampled responses are there of 3 of 6 problems."""
    (first, counts), *others = incomplete.items()
    told = [f"all {first} responses are there of {counts['whole']} of {counts['problems']} problems"]
    told += [f"all {other} ones of {count['whole']} of {count['problems']}" for other, count in others]
    return f"{name}: {', '.join(told)}"
