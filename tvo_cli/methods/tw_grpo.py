"""TW-GRPO: positions at which the responses to one prompt disagree learn more.

"Reinforcing video reasoning with focused thinking", 2025, arXiv:2505.24718. Changes GRPO at: advantage shaping, reduce.
"""

from __future__ import annotations

from dataclasses import replace

from tvo_cli.types import Advantage, Experience

TINY = 1e-8


def tw_grpo(experience: Experience, advantage: Advantage, *, largest: float, keep_scale: bool) -> Advantage:
    """Â·w_t, w = 1 + (a − 1)(D_t − min D)/(max D − min D + 1e-8) in [1, a], the same for a group's responses, [B, T].

    D_t is how far the group's next-token distributions are apart at position t (`divergence_from_mean_log`), of the
    policy that sampled; minimum and maximum are over all positions of the batch's width, ended rows being uniform.
    Weighing the loss of a token by w > 0 is weighing its Â: clips are proportional to it.

    Fidelity: official code (agreement of the weights to 1e-12 on random groups; there they are of the policy under
    training and the gradient flows through them, here they carry none; the graded reward for sets of answers is a
    reward function of one's own).

    Args:
        experience: with group_divergence.
        advantage: Â, [B, T].
        largest: a; 1 recovers Â.
        keep_scale: divide by the mean weight over the response tokens; released: no, and the loss grows by it.
    """
    if experience.group_divergence is None:
        raise ValueError("algorithm.objective.reads.group_divergence must be true for TW-GRPO")
    apart = experience.group_divergence
    least, most = apart.amin(1, keepdim=True), apart.amax(1, keepdim=True)
    weight = (1 + (largest - 1) * (apart - least) / (most - least + TINY))[experience.group]
    if keep_scale:
        weight = weight / weight[experience.mask].mean() if bool(experience.mask.any()) else weight
    return replace(advantage, values=advantage.values * weight.to(advantage.values.dtype))
