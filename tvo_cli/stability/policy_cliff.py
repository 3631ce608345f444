"""Probes of the policy cliff: how far ties among a group's best responses, and who breaks them, decide the optimum.

arXiv:2507.20150 (Policy Cliff), propositions 2.1 to 2.5 and 3.1: the optimal policy jumps where several answers tie for
the largest reward, and any extra reward, however small, picks one of them. With an entropy coefficient a the optimum
is softmax(R/a) instead, and TV(π*_R, π*_R') ≤ ‖R − R'‖_∞/(2a).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor


def sensitivity(rewards: Tensor, temperature: float, perturbation: float) -> float:
    """max_i TV(p, p') of one group, p = softmax(r/a), p' the same with ε added to r_i alone; [] in [0, 1].

    p'_i − p_i = p_i·(1 − q)·(1 − p_i)/(q + p_i·(1 − q)), q = exp(−ε/a). Never above ε/(2a). ε = 0 gives 0.

    Args:
        rewards: of the group's responses, [G], in units of reward.
        temperature: a, in units of reward; towards 0 the soft optimum becomes the hard one.
        perturbation: ε, in units of reward.
    """
    share = (rewards.double() / temperature).softmax(0)
    rest = -math.expm1(-perturbation / temperature)  # 1 − q, which no ε/a overflows
    return float((share * rest * (1.0 - share) / (1.0 - rest + share * rest).clamp(min=1e-300)).max())


def policy_cliff_readings(
    groups: Sequence[Tensor],
    answers: Sequence[Sequence[str | None]],
    *,
    temperature: float,
    perturbation: float,
    narrow: float,
) -> dict[str, float]:
    """Ties and their sensitivity, means over the groups of a batch.

    Fidelity: paper (its propositions; which probe is taken of a group is ours).

    Args:
        groups: rewards of each group, [G] each.
        answers: the final answers of the same responses; None where there is none.
        temperature: a of `sensitivity`.
        perturbation: ε of `sensitivity`.
        narrow: standard deviation of rewards below which a group that is not all equal counts as narrow: divided by
            it, whatever breaks the tie becomes an advantage of order 1.
    """
    tied = [rewards == rewards.max() for rewards in groups]
    distinct = [len({a for a, best in zip(own, of.tolist()) if best}) for own, of in zip(answers, tied)]
    spread = [float(rewards.double().std(correction=0)) for rewards in groups]
    probe = [sensitivity(rewards, temperature, perturbation) for rewards in groups]
    count = max(len(groups), 1)
    return {
        "cliff/tied": sum(float(of.double().mean()) for of in tied) / count,
        "cliff/tied_answers": sum(distinct) / count,
        "cliff/narrow": sum(0.0 < width < narrow for width in spread) / count,
        "cliff/sensitivity": sum(probe) / count,
        "cliff/sensitivity_bound": perturbation / (2.0 * temperature),
    }
