"""Methods of the field that are no choice of conf/algorithm: the setting that they are, or why they are not here."""

from __future__ import annotations

from typing import NamedTuple


class MethodElsewhere(NamedTuple):
    """A named method without a recipe of its own, or the part of one that its recipe leaves out."""

    name: str
    paper: str
    setting: str  # "optimizer=lion": that is how it is had; "" where no setting is
    why: str  # where else it is, or why it is not here


METHODS_ELSEWHERE = (
    MethodElsewhere("Lion", "arXiv:2302.06675", "optimizer=lion", "with weight decay, `optimizer/box` reads its box"),
    MethodElsewhere("dynamic reward weighting, by hypervolume", "arXiv:2509.11452", "reward.weighting=hypervolume", ""),
    MethodElsewhere("dynamic reward weighting, by gradients", "arXiv:2509.11452", "reward.weighting=gradient", ""),
    MethodElsewhere(
        "RECAP's weights of a reward's terms",
        "arXiv:2510.21978",
        "reward.weighting=recap",
        "of any algorithm; `recap` weighs sources, `recap_next_token` a loss on demonstrations too",
    ),
    MethodElsewhere("MiSS (Bone)", "arXiv:2409.15371", "adapter=miss", "through peft, beside LoRA and DoRA"),
    MethodElsewhere(
        "support kept and lost (Invisible Leash)",
        "arXiv:2507.14843",
        "stability.readings.support=true",
        "in training; after it, `tvo eval` with evaluation.base=",
    ),
    MethodElsewhere(
        "tie and sensitivity probes (Policy Cliff)", "arXiv:2507.20150", "stability.readings.policy_cliff=true", ""
    ),
    MethodElsewhere("diffusion spectral entropy", "arXiv:2312.04823", "stability.readings.spectral_entropy=true", ""),
    MethodElsewhere("layer-wise entropy", "arXiv:2512.19673", "stability.readings.layer_entropy=true", ""),
    MethodElsewhere(
        "thermodynamic laws, measured",
        "arXiv:2505.10559",
        "stability.readings.valley=true",
        "of any run; tested, beside the annealing law (arXiv:2408.11029), in "
        "[results/thermodynamic-laws.md](results/thermodynamic-laws.md)",
    ),
    MethodElsewhere("schedule: linear", "", "optimizer=adamw_linear", ""),
    MethodElsewhere("schedule: cosine", "arXiv:1608.03983", "optimizer=adamw_cosine", ""),
    MethodElsewhere(
        "schedule: warm-up, stable, decay",
        "arXiv:2404.06395",
        "optimizer=adamw_stable_decay",
        "with optimizer.warm_up",
    ),
    MethodElsewhere("schedule: 1/t", "arXiv:2505.10559", "optimizer=adamw_inverse", ""),
    MethodElsewhere("schedule: river valley", "arXiv:2505.10559", "optimizer=adamw_river_valley", ""),
    MethodElsewhere("entropy-adaptive decoding", "arXiv:2502.06833", "protocol=entropy_adaptive", "of `tvo eval`"),
    MethodElsewhere("DiffAdapt, Easy", "arXiv:2510.19669", "protocol=diffadapt_easy", "of `tvo eval`; our wording"),
    MethodElsewhere("DiffAdapt, Normal", "arXiv:2510.19669", "protocol=diffadapt_normal", "of `tvo eval`; our wording"),
    MethodElsewhere("DiffAdapt, Hard", "arXiv:2510.19669", "protocol=diffadapt_hard", "of `tvo eval`; our wording"),
    MethodElsewhere(
        "DiffAdapt's choice by a probe",
        "arXiv:2510.19669",
        "protocol=diffadapt",
        "of `tvo eval`: trained on labelled training problems, never on those that are asked",
    ),
)
