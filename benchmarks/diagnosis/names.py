"""Which names of each tool are right for a fault or a scenario: set down before the figures were made."""

from __future__ import annotations

from collections.abc import Mapping

Names = Mapping[str, frozenset[str]]


def _names(**cases: str) -> Names:
    return {case: frozenset(names.split()) for case, names in cases.items()}


TVO = _names(
    accepts_all="all_right no_gradient reward_hacking",
    flipped="wrong_verdicts reward_hacking",
    rate_30="accuracy_collapse sudden_fall policy_drift clip_saturation entropy_blow_up entropy_collapse "
    "gradient_spike step_rule_limit",
    length_bought="length_bought format_bought reward_composition reward_hacking",
    stale="stale_weights sampler_mismatch",
    used_up="problems_used_up reward_hacking",
    not_finite="nonfinite",
    group_of_one="no_gradient",
    entropy_collapse="entropy_collapse mode_collapse",
    saturated_groups="all_right no_gradient",
    too_hard="all_wrong no_gradient",
    reward_hacking="reward_hacking",
    length_hacking="length_bought reward_hacking",
    truncation="truncation",
    kl_blowup="policy_drift",
    clip_saturation="clip_saturation",
    grad_spikes="gradient_spike",
    plateau="plateau",
    format_domination="reward_composition format_bought",
    form_only="format_bought plateau",
    longer_only="length_bought reward_hacking",
    far_too_hard="all_wrong no_gradient",
    stands_still="plateau",
    flipped_solved="wrong_verdicts",
    flipped_half_solved="wrong_verdicts",
)
RLDOCTOR = _names(
    accepts_all="advantage_collapse reward_hacking",
    flipped="reward_hacking plateau",
    rate_30="kl_drift clip_saturation gradient_pathology entropy_collapse",
    length_bought="length_pathology reward_composition reward_hacking",
    stale="kl_drift",
    used_up="reward_hacking",
    not_finite="gradient_pathology",
    group_of_one="advantage_collapse",
    entropy_collapse="entropy_collapse",
    saturated_groups="advantage_collapse",
    too_hard="advantage_collapse",
    reward_hacking="reward_hacking",
    length_hacking="length_pathology",
    truncation="length_pathology",
    kl_blowup="kl_drift",
    clip_saturation="clip_saturation",
    grad_spikes="gradient_pathology",
    plateau="plateau",
    format_domination="reward_composition",
    form_only="reward_composition plateau",
    longer_only="length_pathology reward_composition reward_hacking",
    far_too_hard="advantage_collapse",
    stands_still="plateau",
    flipped_solved="",
    flipped_half_solved="",
)
RLWATCH = _names(
    accepts_all="reward_hacking reward_mean_drift",
    flipped="reward_hacking",
    rate_30="kl_explosion gradient_norm_spike entropy_collapse",
    length_bought="reward_hacking reward_mean_drift",
    stale="kl_explosion",
    used_up="reward_hacking reward_mean_drift",
    not_finite="loss_nan",
    group_of_one="advantage_variance",
    entropy_collapse="entropy_collapse",
    saturated_groups="reward_mean_drift",
    too_hard="reward_mean_drift",
    reward_hacking="reward_hacking reward_mean_drift",
    length_hacking="reward_hacking",
    truncation="reward_hacking",
    kl_blowup="kl_explosion",
    clip_saturation="kl_explosion",
    grad_spikes="gradient_norm_spike",
    plateau="reward_mean_drift",
    format_domination="reward_hacking",
    form_only="reward_hacking",
    longer_only="reward_hacking reward_mean_drift",
    far_too_hard="reward_mean_drift",
    stands_still="reward_mean_drift",
    flipped_solved="",
    flipped_half_solved="",
)
STILL = {
    "rldoctor": frozenset({"plateau"}),
    "rlwatch": frozenset({"reward_mean_drift"}),
}  # rightly said of a run that stands
RIGHT: Mapping[str, Names] = {"tvo": TVO, "tvo (TRL's columns)": TVO, "rldoctor": RLDOCTOR, "rlwatch": RLWATCH}


def is_right(tool: str, case: str, first: str) -> bool:
    """Whether the failure that a tool names first is one of the right ones."""
    return first in RIGHT[tool].get(case, frozenset())
