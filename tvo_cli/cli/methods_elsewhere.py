"""Methods of the field that are no choice of conf/algorithm: the setting that they are, or why they are not here."""

from __future__ import annotations

from typing import NamedTuple


class MethodElsewhere(NamedTuple):
    """A named method without a recipe of its own, or the part of one that its recipe leaves out."""

    name: str
    paper: str
    setting: str  # "optimizer=lion": that is how it is had; "" where no setting is
    why: str  # where else it is, or why it is not here


_ROLLOUTS = "not built: it restarts sampling in the middle of a response, and the sampler starts from prompts only"

METHODS_ELSEWHERE = (
    MethodElsewhere("Lion", "arXiv:2302.06675", "optimizer=lion", "with the reading of its box, `optimizer/box`"),
    MethodElsewhere("dynamic reward weighting, by hypervolume", "arXiv:2509.11452", "reward.weighting=hypervolume", ""),
    MethodElsewhere("dynamic reward weighting, by gradients", "arXiv:2509.11452", "reward.weighting=gradient", ""),
    MethodElsewhere(
        "Agentic AEPO's branching", "arXiv:2510.14545", "", f"{_ROLLOUTS}; `aepo_agentic` is its objective"
    ),
    MethodElsewhere(
        "HAPO's adaptive temperature", "arXiv:2509.16591", "", "not built: a temperature a token; `hapo` is the rest"
    ),
    MethodElsewhere("CURE", "arXiv:2508.11016", "", _ROLLOUTS),
    MethodElsewhere("ETTRL", "arXiv:2508.11356", "", f"{_ROLLOUTS}; nor is a reward by majority vote"),
    MethodElsewhere(
        "RECAP's weights of a reward's terms and its next-token loss",
        "arXiv:2510.21978",
        "",
        "not built: `recap` weighs the sources of a mixture, each by its whole reward",
    ),
    MethodElsewhere(
        "Light-IF's entropy-adaptive regularisation",
        "arXiv:2508.03178",
        "",
        "only the abstract could be read, and one adaptation by others; a recipe would be a guess",
    ),
    MethodElsewhere("MiSS (Bone)", "arXiv:2409.15371", "adapter=miss", "through peft, beside LoRA and DoRA"),
    MethodElsewhere(
        "support kept and lost (Invisible Leash)", "arXiv:2507.14843", "", "a reading of `tvo eval` with base="
    ),
    MethodElsewhere("tie and sensitivity probes (Policy Cliff)", "arXiv:2507.20150", "", "not built"),
    MethodElsewhere("diffusion spectral entropy", "arXiv:2312.04823", "", "not built"),
    MethodElsewhere("layer-wise entropy", "arXiv:2512.19673", "", "not built"),
    MethodElsewhere("entropy-adaptive decoding", "arXiv:2502.06833", "", "not built: two models in one evaluation"),
    MethodElsewhere("DiffAdapt", "arXiv:2510.19669", "", "not built: strategies of an evaluation"),
)
