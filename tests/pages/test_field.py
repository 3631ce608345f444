"""Every method of the field that issue 20 names is a recipe, a setting, or an absence that says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvo_cli import config
from tvo_cli.cli.algorithm_descriptions import WEAKEST_FIRST, fidelity_grade
from tvo_cli.cli.methods_elsewhere import METHODS_ELSEWHERE, MethodElsewhere
from tvo_cli.errors import UserError

PAGE = (Path(__file__).parent.parent.parent / "docs" / "algorithms.md").read_text(encoding="utf-8")
RECIPES = {
    "Arbitrary-Entropy PO, SCOPE": ["scope"],
    "Agentic AEPO": ["aepo_agentic"],
    "Agentic AEPO's branching": ["aepo_branching"],
    "CURE": ["cure"],
    "ETTRL": ["ettrl"],
    "Clip_B, Clip_V": ["clip_b", "clip_v"],
    "EPO": ["epo"],
    "EMPG": ["empg"],
    "HAPO": ["hapo"],
    "CANON, its schedules": ["canon", "canon_dynamic"],
    "ProGRPO/ARM": ["progrpo"],
    "entropy-performance exchange": ["perplexity_shaping", "position_shaping", "entropy_performance"],
    "PEAR": ["pear"],
    "information-consistent GRPO": ["information_consistency"],
    "Trust-GRPO": ["trust_grpo"],
    "TW-GRPO": ["tw_grpo"],
    "ARES": ["ares"],
    "TIP": ["tip"],
    "AVSPO": ["avspo"],
    "LLDS": ["llds"],
    "Light-IF": ["light_if"],
    "BuPO": ["bupo"],
    "SPEAR": ["spear"],
    "RECAP": ["recap", "recap_next_token"],
    "thermodynamic laws, the river-valley schedule": ["tvo_river_valley"],
}
ELSEWHERE = (
    "Lion",
    "dynamic reward weighting, by hypervolume",
    "dynamic reward weighting, by gradients",
    "RECAP's weights of a reward's terms",
    "TIP with a teacher",
    "MiSS (Bone)",
    "support kept and lost (Invisible Leash)",
    "tie and sensitivity probes (Policy Cliff)",
    "diffusion spectral entropy",
    "layer-wise entropy",
    "thermodynamic laws, measured",
    "heat capacity",
    "entropic force",
    "scaling law with learning-rate annealing",
    *(f"schedule: {one}" for one in ("linear", "cosine", "warm-up, stable, decay", "1/t", "river valley")),
    "entropy-adaptive decoding",
    *(f"DiffAdapt, {one}" for one in ("Easy", "Normal", "Hard")),
    "DiffAdapt's choice by a probe",
)


@pytest.mark.parametrize("method", RECIPES)
def test_a_method_with_recipes_has_a_row_for_each(method: str) -> None:
    for name in RECIPES[method]:
        assert name in config.choices_of_group("algorithm") and f"\n| `{name}` |" in PAGE


def test_the_others_are_settings_or_say_why_they_are_not_here() -> None:
    assert tuple(one.name for one in METHODS_ELSEWHERE) == ELSEWHERE
    for one in METHODS_ELSEWHERE:
        assert (one.setting or one.why) and f"\n| {one.name} | {one.paper} | " in PAGE


@pytest.mark.parametrize("one", METHODS_ELSEWHERE, ids=lambda one: one.name)
def test_what_is_here_says_what_it_was_written_after(one: MethodElsewhere) -> None:
    assert not one.setting or fidelity_grade(one.fidelity) in WEAKEST_FIRST
    assert one.fidelity or "no teacher can be given" in one.why
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| {one.name} |")]
    assert row.endswith(f" | {one.fidelity} |")


@pytest.mark.parametrize("one", [one for one in METHODS_ELSEWHERE if one.setting], ids=lambda one: one.name)
def test_a_setting_that_the_page_names_exists(one: MethodElsewhere) -> None:
    key, _, value = one.setting.partition("=")
    if "." not in key:
        assert value in config.choices_of_group(key)
    else:
        with pytest.raises(UserError, match=value):
            config.compose([f"{key}=no_such"])
