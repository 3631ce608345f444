"""Methods of the field that are no choice of conf/algorithm: the setting that they are, or why they are not here."""

from __future__ import annotations

from typing import NamedTuple

from tvo_cli.cli.algorithm_descriptions import stated_fidelity


class MethodElsewhere(NamedTuple):
    """A named method without a recipe of its own, or the part of one that its recipe leaves out."""

    name: str
    paper: str
    setting: str  # "optimizer=lion": that is how it is had; "" where no setting is
    why: str  # where else it is, or why it is not here
    piece: str = ""  # the callable whose docstring states its fidelity
    stated: str = ""  # the fidelity itself, where no callable is only this method's

    @property
    def fidelity(self) -> str:
        """What it was written after, as of an algorithm; "" where nothing was written."""
        return stated_fidelity(self.piece) if self.piece else self.stated


COMMON = "notes (common practice)"
STRATEGY = "tvo_cli.evaluation.strategy_choice.strategy_label"
WEIGHTING = "tvo_cli.training.reward_terms"
METHODS_ELSEWHERE = (
    MethodElsewhere(
        "Lion",
        "arXiv:2302.06675, arXiv:2310.05898",
        "optimizer=lion",
        "`stability.readings.lion=true` reads the share of turned updates and what its momentum adds to its Lyapunov "
        "function; with weight decay, `optimizer/box` reads its box",
        "tvo_cli.optim.Lion",
    ),
    MethodElsewhere(
        "dynamic reward weighting, by hypervolume",
        "arXiv:2509.11452",
        "reward.weighting=hypervolume",
        "of any reward of several terms; `reward=by_hypervolume` has three",
        f"{WEIGHTING}.hypervolume_weighting.HypervolumeWeighting",
    ),
    MethodElsewhere(
        "dynamic reward weighting, by gradients",
        "arXiv:2509.11452",
        "reward.weighting=gradient",
        "of any reward of several terms; `reward=by_gradient` has three",
        f"{WEIGHTING}.gradient_weighting.GradientWeighting",
    ),
    MethodElsewhere(
        "RECAP's weights of a reward's terms",
        "arXiv:2510.21978",
        "reward.weighting=recap",
        "of any algorithm; `recap` weighs sources, `recap_next_token` a loss on demonstrations too",
        f"{WEIGHTING}.window_weighting.WindowWeighting",
    ),
    MethodElsewhere(
        "TIP with a teacher",
        "arXiv:2604.14084",
        "",
        "no teacher can be given. In its place `tip` takes |Â|(1 − π), or, with "
        "`algorithm.objective.weight.divergence=reference`, k3 to the frozen start",
    ),
    MethodElsewhere(
        "MiSS (Bone)",
        "arXiv:2409.15371",
        "adapter=miss",
        "through peft, beside LoRA and DoRA",
        "tvo_cli.model.adapters.adapter.miss_kind",
    ),
    MethodElsewhere(
        "support kept and lost (Invisible Leash)",
        "arXiv:2507.14843",
        "stability.readings.support=true",
        "in training; after it, `tvo eval` with evaluation.base=",
        "tvo_cli.evaluation.support_change.support_ratios",
    ),
    MethodElsewhere(
        "tie and sensitivity probes (Policy Cliff)",
        "arXiv:2507.20150",
        "stability.readings.policy_cliff=true",
        "",
        "tvo_cli.stability.policy_cliff.policy_cliff_readings",
    ),
    MethodElsewhere(
        "diffusion spectral entropy",
        "arXiv:2312.04823",
        "stability.readings.spectral_entropy=true",
        "",
        "tvo_cli.stability.spectral_entropy.diffusion_spectral_entropy",
    ),
    MethodElsewhere(
        "layer-wise entropy",
        "arXiv:2512.19673",
        "stability.readings.layer_entropy=true",
        "",
        "tvo_cli.model.layer_readings.layer_entropies",
    ),
    MethodElsewhere(
        "thermodynamic laws, measured",
        "arXiv:2505.10559",
        "stability.readings.valley=true",
        "heat and temperature of any run; tested in [results/thermodynamic-laws.md](results/thermodynamic-laws.md)",
        "tvo_cli.stability.valley.heat_fluctuation",
    ),
    MethodElsewhere(
        "heat capacity",
        "arXiv:2505.10559",
        "stability.readings.valley=true",
        "`valley/heat_capacity`, as h/η",
        stated="notes (the paper's is dh/dη, which h/η is where the heat is proportional to the rate)",
    ),
    MethodElsewhere(
        "entropic force",
        "arXiv:2505.10559",
        "stability.readings.valley=true",
        "`valley/entropic_force`, beside `valley/force`",
        "tvo_cli.stability.valley.river_forces",
    ),
    MethodElsewhere(
        "scaling law with learning-rate annealing",
        "arXiv:2408.11029",
        "",
        "no setting: a law of finished loss curves, fitted beside the thermodynamic one by "
        "`python -m benchmarks.thermodynamic_laws` ([results/thermodynamic-laws.md](results/thermodynamic-laws.md))",
        stated="paper (its equation 2; all five constants are fitted, its decay λ among them)",
    ),
    MethodElsewhere("schedule: linear", "", "optimizer=adamw_linear", "", stated=COMMON),
    MethodElsewhere("schedule: cosine", "arXiv:1608.03983", "optimizer=adamw_cosine", "", stated=COMMON),
    MethodElsewhere(
        "schedule: warm-up, stable, decay",
        "arXiv:2404.06395",
        "optimizer=adamw_stable_decay",
        "with optimizer.warm_up",
        stated="notes (its decay is linear here)",
    ),
    MethodElsewhere(
        "schedule: 1/t", "arXiv:2505.10559", "optimizer=adamw_inverse", "", stated="notes (the period is ours)"
    ),
    MethodElsewhere(
        "schedule: river valley", "arXiv:2505.10559", "optimizer=adamw_river_valley", "", "tvo_cli.optim.RiverValley"
    ),
    MethodElsewhere(
        "entropy-adaptive decoding",
        "arXiv:2502.06833",
        "protocol=entropy_adaptive",
        "of `tvo eval`",
        "tvo_cli.rollout.engines.entropy_adaptive.ModelSwitch",
    ),
    *(
        MethodElsewhere(
            f"DiffAdapt, {one}",
            "arXiv:2510.19669",
            f"protocol=diffadapt_{one.lower()}",
            "of `tvo eval`; our wording",
            STRATEGY,
        )
        for one in ("Easy", "Normal", "Hard")
    ),
    MethodElsewhere(
        "DiffAdapt's choice by a probe",
        "arXiv:2510.19669",
        "protocol=diffadapt",
        "of `tvo eval`: trained on labelled training problems, never on those that are asked",
        "tvo_cli.model.difficulty_probe.DifficultyProbe",
    ),
)
