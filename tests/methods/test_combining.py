"""A combination is a yaml of two names; two that contradict each other are refused with the reason."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.methods.conftest import composed
from tvo_cli import config
from tvo_cli.cli.main import main
from tvo_cli.config.cross_key_checks import CONTRADICTIONS, check_across_keys
from tvo_cli.errors import UserError

PAIRS = list(CONTRADICTIONS)
NEUTRAL: dict[str, tuple[str, list[str]]] = {
    "kl_cov_early_stop": ("kl_cov", []),
    "siren_viscous": ("siren", []),
}


@pytest.fixture
def combined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The checks' answer to a new yaml of two names, in a copy of conf/."""
    shutil.copytree(config.conf_dir(), tmp_path / "conf")
    for module in (config.groups, config.search_path, config.choices):
        monkeypatch.setattr(module, "conf_dir", lambda: tmp_path / "conf")
    monkeypatch.chdir(tmp_path)

    def combine(*parts: str, body: str = "{name: both}") -> Any:
        text = f"# @package _global_\n# Two at once.\ndefaults: [{', '.join(parts)}, _self_]\nalgorithm: {body}\n"
        (tmp_path / "conf" / "algorithm" / "both.yaml").write_text(text)
        chosen = config.compose(["algorithm=both", "output_dir=x"])
        check_across_keys(chosen)
        return chosen.algorithm

    return combine


def test_two_that_go_together_are_a_yaml_of_two_names(combined: Callable[..., Any]) -> None:
    both = combined("kl_cov", "_kl_adaptive")
    assert both.objective.penalties.kl_cov.coef.value == 1.0 and both.step_rule.target == 0.01
    three = combined("kl_cov", "_entropy_bonus", "_viscous")
    assert set(three.objective.penalties) == {"kl", "kl_cov", "entropy"}


def test_two_controllers_of_one_entropy_are_refused_with_the_reason(
    combined: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError) as caught:
        combined("siren", "_target_entropy")
    said = str(caught.value)
    assert "siren holds entropy and target_entropy holds entropy: two controllers" in said and "\n" not in said
    assert main(["train", "algorithm=both", "--dry-run"]) == 2
    opening, printed, *others = capsys.readouterr().err.splitlines()
    assert opening.startswith("tvo train --dry-run: ") and not others
    assert printed.startswith("tvo: algorithm.directions=siren,target_entropy:")


def test_who_means_it_may(combined: Callable[..., Any]) -> None:
    both = combined("siren", "_target_entropy", body="{name: both, directions: {siren: null}}")
    assert {"siren", "entropy"} <= set(both.objective.penalties)


@pytest.mark.parametrize(
    ("one", "other"), [PAIRS[0], *(pytest.param(*pair, marks=pytest.mark.slow) for pair in PAIRS[1:])]
)
def test_every_contradiction_is_refused_in_either_order(combined: Callable[..., Any], one: str, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        with pytest.raises(UserError, match="a " + first):
            combined("grpo", body=f"{{name: both, directions: {{a: {first}, b: {second}}}}}")


@pytest.mark.parametrize(
    ("name", "raises"), [("dapo", True), ("canon", True), ("ares", True), ("spear", True), ("dr_grpo", False)]
)
def test_who_lets_good_tokens_rise_further_says_that_it_raises_entropy(name: str, raises: bool) -> None:
    """What is said decides what it is refused beside: CANON stands on Dr.GRPO and clips wider above."""
    chosen = composed(name).algorithm
    assert (chosen.objective.surrogate.high > chosen.objective.surrogate.low) is raises
    assert (chosen.directions.get("clip_higher") == "raises entropy") is raises


def test_clip_cov_raises_entropy_as_a_part_too() -> None:
    assert composed("spear").algorithm.directions.clip_cov == composed("clip_cov").algorithm.directions.clip_cov


def test_an_unknown_direction_names_the_known(combined: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match=r"directions\.a=up: .*holds entropy"):
        combined("grpo", body="{name: both, directions: {a: up}}")


WHOLE = [
    ("cispo", "progrpo", "[cispo, _progrpo, _self_]"),
    ("progrpo", "canon", "[canon, _progrpo, _self_]"),
    ("llds", "tip", "[llds, _tip, _self_]"),
]


@pytest.mark.parametrize(("one", "other", "written"), WHOLE)
def test_two_whole_recipes_are_refused_where_one_would_be_gone(
    combined: Callable[..., Any], one: str, other: str, written: str
) -> None:
    with pytest.raises(UserError) as caught:
        combined(one, other)
    said = str(caught.value)
    assert one in said and other in said and f"Write defaults: {written}" in said and "two methods fill" not in said
    *parts, _ = written.strip("[]").split(", ")
    combined(*parts)


def test_two_whole_recipes_that_keep_what_is_theirs_go_together(combined: Callable[..., Any]) -> None:
    both = combined("tip", "dapo").objective
    assert both.weight._target_.endswith(".tip") and both.surrogate._target_.endswith(".dual_clipped_surrogate")


def test_a_part_brings_what_makes_its_recipe_that_method(combined: Callable[..., Any]) -> None:
    both = combined("cispo", "_progrpo")
    assert both.objective.surrogate._target_ == "tvo_cli.methods.cispo.cispo" and both.objective.reads.prompt_logp
    assert both.advantage_shaping == composed("progrpo").algorithm.advantage_shaping


def test_two_methods_in_one_piece_are_refused(combined: Callable[..., Any]) -> None:
    with pytest.raises(UserError) as caught:
        combined("grpo", "_viscous", "_kl_adaptive")
    assert "algorithm.step_rule._target_=tvo_cli.optim.AdaptiveRate" in str(caught.value)
    assert "set_point" in str(caught.value) and "a piece holds one" in str(caught.value)
