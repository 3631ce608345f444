"""The change of empirical support: problems kept, gained and lost against a base model.

Wu et al., The Invisible Leash, arXiv:2507.14843, definitions 3.1 to 3.3. A problem is in a model's empirical
support when at least one of its samples is right; both models must be sampled by the same protocol.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tvo_cli.evaluation.responses import GradedResponse, responses_by_problem


class SupportChange(NamedTuple):
    """Problems that both solve, that only the new model solves, that only the base solves, that neither solves."""

    kept: tuple[str, ...]
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    neither: tuple[str, ...]


def compare_support(base: Mapping[str, bool], new: Mapping[str, bool]) -> SupportChange:
    """By problem, whether each model found it; problems of both."""
    shared = [name for name in new if name in base]
    return SupportChange(
        kept=tuple(name for name in shared if base[name] and new[name]),
        gained=tuple(name for name in shared if new[name] and not base[name]),
        lost=tuple(name for name in shared if base[name] and not new[name]),
        neither=tuple(name for name in shared if not base[name] and not new[name]),
    )


def support_ratios(kept: int, gained: int, lost: int) -> dict[str, float]:
    """SRR = P/(P+S), NDR = E/(P+E), SDS = 2·SRR·NDR/(SRR+NDR), NSCR = (E−S)/(P+E+S).

    P kept, E gained, S lost; shares without unit. Support retention, net discovery, their harmonic mean, net
    support change. A ratio of nothing is nan.

    Fidelity: paper (its definitions; a problem counts as supported where one of the samples made is right, however
    many they are, where the paper takes thousands).
    """
    retention, discovery = _share_of_support(kept, kept + lost), _share_of_support(gained, kept + gained)
    both = retention + discovery
    harmonic = 2.0 * retention * discovery / both if both else math.nan
    return {
        "SRR": retention,
        "NDR": discovery,
        "SDS": harmonic,
        "NSCR": _share_of_support(gained - lost, kept + gained + lost),
    }


def summarise_support_change(base: Sequence[GradedResponse], new: Sequence[GradedResponse]) -> dict[str, Any]:
    """The counts, the ratios, and which problems were gained and lost."""
    found = compare_support(_solved_problems(base), _solved_problems(new))
    counts = {name: len(problems) for name, problems in found._asdict().items()}
    ratio = support_ratios(len(found.kept), len(found.gained), len(found.lost))
    return counts | ratio | {"gained_ids": list(found.gained), "lost_ids": list(found.lost)}


def _solved_problems(rows: Sequence[GradedResponse]) -> dict[str, bool]:
    sampled = [row for row in rows if row.decoding == "sampled"] or rows
    return {name: any(row.correct for row in group) for name, group in responses_by_problem(sampled).items()}


def _share_of_support(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def support_metrics(base: Mapping[str, bool], now: Mapping[str, bool]) -> dict[str, float]:
    """Counts and ratios of The Invisible Leash (arXiv:2507.14843) by problem; a ratio of nothing is left out."""
    change = compare_support(base, now)
    counts = {"kept": len(change.kept), "gained": len(change.gained), "lost": len(change.lost)}
    ratios = support_ratios(counts["kept"], counts["gained"], counts["lost"])
    named = {"retention": ratios["SRR"], "discovery": ratios["NDR"], "change": ratios["NSCR"]}
    found = {name: float(count) for name, count in counts.items()} | {k: v for k, v in named.items() if v == v}
    return {f"support/{name}": value for name, value in found.items()}
