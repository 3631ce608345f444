"""What training did to the set of problems a model can solve: kept, gained, lost against a base model.

Wu et al., The Invisible Leash, arXiv:2507.14843, definitions 3.1 to 3.3. A problem is in a model's empirical
support when at least one of its samples is right; both models must be sampled by the same protocol.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tvo_cli.evaluation.responses import Response, of_problem


class Support(NamedTuple):
    """Problems that both solve, that only the new model solves, that only the base solves, that neither solves."""

    kept: tuple[str, ...]
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    neither: tuple[str, ...]


def compare(base: Mapping[str, bool], new: Mapping[str, bool]) -> Support:
    """By problem, whether each model found it; problems of both."""
    shared = [name for name in new if name in base]
    return Support(
        kept=tuple(name for name in shared if base[name] and new[name]),
        gained=tuple(name for name in shared if new[name] and not base[name]),
        lost=tuple(name for name in shared if base[name] and not new[name]),
        neither=tuple(name for name in shared if not base[name] and not new[name]),
    )


def ratios(kept: int, gained: int, lost: int) -> dict[str, float]:
    """SRR = P/(P+S), NDR = E/(P+E), SDS = 2·SRR·NDR/(SRR+NDR), NSCR = (E−S)/(P+E+S).

    P kept, E gained, S lost; shares without unit. Support retention, net discovery, their harmonic mean, net
    support change. A ratio of nothing is nan.
    """
    retention, discovery = _share(kept, kept + lost), _share(gained, kept + gained)
    both = retention + discovery
    harmonic = 2.0 * retention * discovery / both if both else math.nan
    return {"SRR": retention, "NDR": discovery, "SDS": harmonic, "NSCR": _share(gained - lost, kept + gained + lost)}


def summarise(base: Sequence[Response], new: Sequence[Response]) -> dict[str, Any]:
    """The counts, the ratios, and which problems were gained and lost."""
    found = compare(_solved(base), _solved(new))
    counts = {name: len(problems) for name, problems in found._asdict().items()}
    ratio = ratios(len(found.kept), len(found.gained), len(found.lost))
    return counts | ratio | {"gained_ids": list(found.gained), "lost_ids": list(found.lost)}


def _solved(rows: Sequence[Response]) -> dict[str, bool]:
    sampled = [row for row in rows if row.decoding == "sampled"] or rows
    return {name: any(row.correct for row in group) for name, group in of_problem(sampled).items()}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
